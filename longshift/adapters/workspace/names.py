"""File names for people and for the wire. Inside this package names keep their exact bytes."""


def readable(name: str) -> str:
    """`name` with bytes that are no text replaced, so that it can be shown and sent."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
