"""The demo: a real bug in a real package, worked on by a scripted model (or by a live one) and proved by checks."""

from longshift.demo.run import run_demo

__all__ = ["run_demo"]
