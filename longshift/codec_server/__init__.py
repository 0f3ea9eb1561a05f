"""The codec server: decrypts payloads for the Web UI and the engine's own command line, for whoever shows a token."""
