"""The ways by which tasks come in: each hands on what it gets to `acceptance`, and acknowledges after that."""
