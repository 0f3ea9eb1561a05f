"""What `doctor` looks at in the encryption of what the engine keeps: whether it is on, and whether the keys suffice."""

from temporalio.client import RPCError

from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput, EngineError
from longshift.payload_census import PayloadCensus, payload_census, remedy, told

NAME = "encryption"
SWITCH_ON = "make a key with `longshift payload-key new ID`, and set LONGSHIFT_PAYLOAD_KEYS for every process"


async def payloads(run: Invocation) -> Finding:
    """Which key encrypts, and what open sessions need beyond it."""
    try:
        ring = run.settings.key_ring
    except BadInput as error:
        return Finding(NAME, Level.FAIL, str(error), "mend LONGSHIFT_PAYLOAD_KEYS")
    census = await _census(run)
    missing = census.missing(ring) if census else {}
    if missing:
        return Finding(NAME, Level.FAIL, told(missing), remedy(missing))
    if ring.first_id is None:
        return Finding(NAME, Level.WARN, "off: the engine keeps tasks, results and failures in clear", SWITCH_ON)
    others = f", {len(ring.ids) - 1} more decrypt" if len(ring.ids) > 1 else ""
    detail = f"the key {ring.first_id!r} encrypts{others}"
    if census and census.clear:
        remedy_text = "nothing, if they are older than the key; else give the key to whoever submits"
        return Finding(NAME, Level.WARN, f"{detail}; {len(census.clear)} open workflows began in clear", remedy_text)
    return Finding(NAME, Level.OK, detail)


async def _census(run: Invocation) -> PayloadCensus | None:
    """None where the engine cannot be asked; what is wrong with it is another finding's."""
    try:
        return await payload_census(await run.client())
    except (EngineError, BadInput, RPCError):
        return None
