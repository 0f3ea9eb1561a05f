"""What an agent has to know about files that were made again on another host."""

from collections.abc import Sequence

SHOWN_NAMES = 20
SHOWN_COMPLAINTS = 3
COMPLAINT_CHARACTERS = 300


def remarks(
    *, complaints: Sequence[str], source_complaint: str, has_own_repository: bool, left_out: Sequence[str]
) -> tuple[str, ...]:
    """How the files differ from those of the host that was lost, a sentence each.

    `complaints` say why newer checkpoints could not be taken, `source_complaint` why the source could not be fetched.
    """
    found = [f"A newer checkpoint could not be used: {each[:COMPLAINT_CHARACTERS]}." for each in _few(complaints)]
    if source_complaint:
        found.append(
            "The source could not be fetched again, so only the recorded files are here, without the history of its "
            f"repository: {source_complaint[:COMPLAINT_CHARACTERS]}."
        )
    elif has_own_repository:
        found.append(
            "Commits, branches, stashes and staged changes made in the workspace's own repository are gone; the files "
            "are as they were and show as uncommitted changes."
        )
    found.append(
        "Files that ignore rules exclude (installed packages, caches, build output) and the home folder are only what "
        "the source and the setup have made."
    )
    if left_out:
        more = f" and {len(left_out) - SHOWN_NAMES} more" if len(left_out) > SHOWN_NAMES else ""
        names = ", ".join(left_out[:SHOWN_NAMES])
        found.append(f"Files that checkpoints do not cover are missing, or as the source has them: {names}{more}.")
    return tuple(found)


def remarks_without_checkpoint(complaints: Sequence[str]) -> tuple[str, ...]:
    """The same where nothing could be restored, so that work starts from the source."""
    return (
        *(f"A checkpoint could not be used: {each[:COMPLAINT_CHARACTERS]}." for each in _few(complaints)),
        "There was no checkpoint to go on from: the files are those of the source after the setup.",
    )


def _few(complaints: Sequence[str]) -> Sequence[str]:
    return complaints[:SHOWN_COMPLAINTS]
