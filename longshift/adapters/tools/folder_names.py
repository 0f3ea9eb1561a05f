"""The names in a folder, as hints for a path that names something else than it should."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice
from typing import Final

_READ: Final = 2_000
"""How many names of a folder are looked at."""
_SHOWN: Final = 20
_SIMILAR_SHOWN: Final = 5


def listing(folder: int) -> str:
    """The first names in a folder that is held with O_PATH."""
    names = sorted(islice(_names(folder), _READ))
    return (", ".join(names[:_SHOWN]) or "nothing") + (", …" if len(names) > _SHOWN else "")


def similar_names(folder: int, name: str) -> list[str]:
    """Names in a folder that may have been meant instead of `name`."""
    names = list(islice(_names(folder), _READ))
    near = get_close_matches(name, names, n=_SIMILAR_SHOWN, cutoff=0.6)
    return near or [other for other in sorted(names) if _stem(other) == _stem(name)][:_SIMILAR_SHOWN]


def is_there(folder: int, name: str) -> bool:
    """Whether a folder has an entry `name`, be it a link that leads nowhere."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _names(folder: int) -> Iterator[str]:
    """None for anything that cannot be listed."""
    try:
        with os.scandir(f"/proc/self/fd/{folder}") as entries:
            yield from (entry.name for entry in entries)
    except OSError:
        return


def _stem(name: str) -> str:
    """Without case and without the part after the last dot."""
    return name.lower().rpartition(".")[0] or name.lower()
