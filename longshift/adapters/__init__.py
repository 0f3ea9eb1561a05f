"""The outside world: one package per boundary. Nothing here imports the engine or reads settings."""
