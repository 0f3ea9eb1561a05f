"""What comes in over HTTP: the API, signed webhooks, and GitHub.

`app.build_app` puts it together, `server.serve` listens. Handlers hand on to `acceptance`, `sessions` or the store.
"""
