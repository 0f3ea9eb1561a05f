"""What a model could be talked into, played against the sandbox: scripts, the scene that they attack, and the count."""
