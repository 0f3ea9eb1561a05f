"""Tests of the codec server."""
