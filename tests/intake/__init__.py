"""Tests of the ways by which tasks come in."""
