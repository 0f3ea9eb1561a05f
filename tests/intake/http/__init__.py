"""Tests of what comes in over HTTP: real requests on the loopback interface, against a real engine."""
