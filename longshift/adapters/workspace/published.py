"""What keeps a patch from being published: a secret in what it adds."""

from collections.abc import Callable

from longshift.contracts.errors import WorkspaceFailed

NAMED_FILES = 10
_FILE = "diff --git "


def refuse_secrets(patch: bytes, clean: Callable[[str], str]) -> None:
    """Make sure that no added line holds a known secret. Masking it would make a patch that says something else.

    What a patch removes or shows around a change is in the repository already, and to remove it may be the task.

    Raises:
        WorkspaceFailed: the message names the files and the remedy.
    """
    text = patch.decode("utf-8", "surrogateescape")
    if clean(text) == text:
        return
    guilty = [name for name, added in _added(text) if clean(added) != added]
    if guilty:
        more = f" and {len(guilty) - NAMED_FILES} more" if len(guilty) > NAMED_FILES else ""
        raise WorkspaceFailed(
            f"nothing is delivered: the changes hold a secret of this runner's configuration in "
            f"{', '.join(guilty[:NAMED_FILES])}{more}. Take it out of the files and resume the session, or cancel it; "
            "then replace the secret by a new one"
        )


def _added(patch: str) -> list[tuple[str, str]]:
    """Per file, its name as the patch's header has it and the text that is added."""
    found: list[tuple[str, str]] = []
    for section in f"\n{patch}".split(f"\n{_FILE}")[1:]:
        header, *lines = section.split("\n")
        name = header.rpartition(" b/")[2] or header
        found.append((name, "\n".join([name, *(line[1:] for line in lines if line.startswith("+"))])))
    return found
