"""What kind of bundle the next archived checkpoint becomes. Making and storing it is the archive's part."""

from longshift.contracts.checkpoints import CheckpointKind, CheckpointRecord

INCREMENTALS_LIMIT = 40
"""So many incremental bundles in a row at most: each has to be fetched and read when a workspace is made again."""
SMALL_BYTES = 1_000_000
"""Incremental bundles that are less than this together are no reason to start anew, however small the full one is."""
FULL_AGAIN_BYTES = 250_000
"""A full bundle up to this size is simply written again. A larger one is kept, and what was done since goes on top."""
CUMULATIVES_LIMIT = 25
"""After so many, even a large full bundle is written again, so that not all depends on a single old object."""


def next_kind(last: CheckpointRecord | None) -> CheckpointKind:
    """The kind of the bundle that follows `last`, the newest one that is in the store."""
    if last is None:
        return CheckpointKind.FULL
    is_few = last.incremental_count < INCREMENTALS_LIMIT
    if is_few and last.incremental_bytes <= max(last.full_bytes, SMALL_BYTES):
        return CheckpointKind.INCREMENTAL
    if last.full_bytes <= FULL_AGAIN_BYTES or last.cumulative_count >= CUMULATIVES_LIMIT:
        return CheckpointKind.FULL
    return CheckpointKind.CUMULATIVE


def linked(record: CheckpointRecord, last: CheckpointRecord | None) -> CheckpointRecord:
    """`record` with what it builds on and the counts of its chain, where `last` is the newest one before it."""
    if last is None or record.kind is CheckpointKind.FULL:
        return record.model_copy(update={"full_bytes": record.bundle_bytes})
    full = last.full or last.place
    on_full = {"full": full, "full_bytes": last.full_bytes}
    if record.kind is CheckpointKind.CUMULATIVE:
        return record.model_copy(
            update={**on_full, "builds_on": full, "cumulative_count": last.cumulative_count + 1},
        )
    return record.model_copy(
        update={
            **on_full,
            "builds_on": last.place,
            "cumulative_count": last.cumulative_count,
            "incremental_count": last.incremental_count + 1,
            "incremental_bytes": last.incremental_bytes + record.bundle_bytes,
        }
    )
