"""What keeps a patch from being published: a secret in what it adds."""

from collections.abc import Callable

from longshift.contracts.errors import WorkspaceFailed

NAMED_FILES = 10
SECRET_IN = "a secret of this runner's configuration in"
"""Before the names of the files that hold it."""
_FILE = "diff --git "


def refuse_secrets(patch: bytes, clean: Callable[[str], str]) -> None:
    """Make sure that no added line holds a known secret. Masking it would make a patch that says something else.

    Raises:
        WorkspaceFailed: the message names the files and the remedy.
    """
    guilty = named_with_secrets(patch, clean)
    if guilty:
        raise WorkspaceFailed(
            f"nothing is delivered: the changes hold {SECRET_IN} {guilty}. Take it out of the files and resume the "
            "session, or cancel it; then replace the secret by a new one"
        )


def named_with_secrets(patch: bytes, clean: Callable[[str], str]) -> str:
    """The files in which added lines hold a known secret, for people; empty: none does.

    What a patch removes or shows around a change is in the repository already, and to remove it may be the task.
    """
    text = patch.decode("utf-8", "surrogateescape")
    if clean(text) == text:
        return ""
    guilty = [name for name, added in _added(text) if clean(added) != added]
    more = f" and {len(guilty) - NAMED_FILES} more" if len(guilty) > NAMED_FILES else ""
    return f"{', '.join(guilty[:NAMED_FILES])}{more}"


def _added(patch: str) -> list[tuple[str, str]]:
    """Per file, its name as the patch's header has it and the text that is added."""
    found: list[tuple[str, str]] = []
    for section in f"\n{patch}".split(f"\n{_FILE}")[1:]:
        header, *lines = section.split("\n")
        name = header.rpartition(" b/")[2] or header
        found.append((name, "\n".join([name, *(line[1:] for line in lines if line.startswith("+"))])))
    return found
