"""Asks a model in a fresh context whether a task is done.

What it is asked is `policy.verifier`'s, how a verdict is read and kept `judging`'s, what follows `policy.completion`'s.
"""

from longshift.adapters.context.judging import Case, Judging
from longshift.adapters.context.tab import Tab
from longshift.adapters.store import Store, Transcripts, read_task
from longshift.contracts.model import ModelProfile
from longshift.contracts.tools import FINISH
from longshift.contracts.verification import DiffRecord, VerdictDigest, VerifyInput
from longshift.policy import verifier


class Verifying:
    """Gets verdicts on work."""

    def __init__(self, store: Store, transcripts: Transcripts, judging: Judging) -> None:
        self._store = store
        self._transcripts = transcripts
        self._judging = judging

    async def verdict(self, profile: ModelProfile, request: VerifyInput, tab: Tab) -> VerdictDigest:
        """The verdict on a `finish`; a provider's failure is an outcome, with what was paid until then.

        Raises:
            StoreMissing: task, answer or changes are not in the store.
            StoreUnavailable: the store cannot be read or written.
        """
        key = f"{request.diff_key.removesuffix('-diff.json')}-verdict.json"
        if stored := await self._judging.stored(profile, key):
            return stored
        evidence = await self._evidence(request)
        case = Case(
            task_id=request.task_id,
            step=request.step,
            system=verifier.SYSTEM,
            sizes=verifier.DIFF_SHARES,
            question=lambda share, again: verifier.question(evidence, share, again=again),
        )
        return await self._judging.verdict(profile, key, case, tab)

    async def _evidence(self, request: VerifyInput) -> verifier.Evidence:
        task = await read_task(self._store, request.task_id)
        diff = DiffRecord.model_validate_json(await self._store.get(request.diff_key))
        answer = await self._transcripts.answer(request.agent, request.epoch, request.step)
        summaries = [str(block["input"].get("summary", "")) for block in answer.content if block.get("name") == FINISH]
        return verifier.Evidence(
            task=task,
            diff=diff,
            checks=request.checks,
            proposed=request.proposed,
            claims=request.claims,
            summary=summaries[-1] if summaries else "",
        )
