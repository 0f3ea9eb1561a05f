"""The server's database file before the server opens it."""

import contextlib
import logging
import sqlite3
from pathlib import Path

log = logging.getLogger("longshift.engine")


def discard_empty(database: Path) -> bool:
    """Remove a database without a single table; True if there was one.

    The server makes its tables in one transaction, and only where there is no file. One that was killed before the end
    of that leaves an empty file, with which no server ever starts again.
    """
    if not database.exists() or _has_tables(database):
        return False
    log.warning("removing %s: it is empty, its first start was cut short", database)
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    return True


def _has_tables(database: Path) -> bool:
    """Whether there is a table; a file that cannot be read counts as one that has, for the server to complain about."""
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.Error:
        return True
