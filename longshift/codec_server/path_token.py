"""A token in front of the path: the Web UI can be given an address, and no header of its own.

`/ls_…/decode` becomes `/decode` and the token, before anything logs the path.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

STATE = "path_token"
_TOKEN = re.compile(r"/(ls_[A-Za-z0-9_-]{1,200})(?=/|$)")


class PathToken:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        found = _TOKEN.match(scope.get("path", "")) if scope["type"] == "http" else None
        if found is not None:
            path = scope["path"][found.end() :] or "/"
            state = {**scope.get("state", {}), STATE: found[1]}
            scope = {**scope, "path": path, "raw_path": path.encode(), "state": state}
        await self._app(scope, receive, send)
