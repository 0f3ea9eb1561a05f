"""Longshift: a durable, event-driven runner for autonomous agent sessions."""

__version__ = "0.1.0"
