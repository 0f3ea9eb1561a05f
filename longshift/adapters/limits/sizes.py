"""Amounts of bytes for people and models."""


def size_text(size_bytes: int | None) -> str:
    """`4.1 GB`, `350 MB`, `12 KB`; powers of ten, as in the settings."""
    amount = float(size_bytes or 0)
    for unit, divisor in (("GB", 1e9), ("MB", 1e6)):
        if amount >= divisor:
            return f"{amount / divisor:.1f} {unit}".replace(".0 ", " ")
    return f"{amount / 1e3:.0f} KB"
