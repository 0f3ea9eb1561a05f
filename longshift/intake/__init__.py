"""The ways by which tasks come in. Each hands what it gets to `acceptance`, and acknowledges once the engine holds it."""
