"""The message of the commit that brings an item's work into the integrated tree."""

from longshift.contracts.swarm import ItemReport
from longshift.contracts.swarm_activities import Merge

SUBJECT_CHARACTERS = 100
BODY_CHARACTERS = 4_000
ITEM_TRAILER = "Longshift-Item"
RESOLVER_TRAILER = "Longshift-Resolver"


def short_name(swarm: str) -> str:
    """The last part of a swarm's id: `swarm1`."""
    return swarm.rpartition(".")[2]


def merge_message(swarm: str, merge: Merge, goal: str, report: ItemReport | None) -> str:
    """Subject, the sub-agent's own words, and trailers that say whose work it is."""
    first_line = next((line.strip() for line in goal.splitlines() if line.strip()), "")
    subject = f"{short_name(swarm)}: {merge.item}: {first_line}".rstrip(": ")[:SUBJECT_CHARACTERS].rstrip()
    trailers = [f"{ITEM_TRAILER}: {merge.item}"]
    if report is not None and report.agent:
        trailers.append(f"Longshift-Agent: {report.agent}")
    trailers.append(f"Longshift-Attempt: {merge.attempt}")
    if merge.by:
        trailers.append(f"{RESOLVER_TRAILER}: {merge.by}")
    summary = report.summary if report is not None else ""
    body = summary.replace("\0", "").replace("\r", "").strip()[:BODY_CHARACTERS].strip()
    return "\n\n".join(part for part in (subject, body, "\n".join(trailers)) if part) + "\n"
