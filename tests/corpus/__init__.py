"""Labelled traces of agents at work and agents that are stuck, for tests and `bench/stuck.py`."""
