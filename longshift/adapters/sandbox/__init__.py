"""What stands between a model's command and the host. `port` is the interface; each backend is one file."""
