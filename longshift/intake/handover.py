"""One lease, from the broker's hand to the engine's, and what the broker is told then.

Only the message itself can send it to the dead letters: no session can be made of it, or its tries end this process
again and again. An engine that is down and a backlog that is full are ours, and cost a message nothing but time.
"""

import random

import structlog

from longshift.adapters.brokers import Lease
from longshift.contracts.errors import BadInput, BrokerUnavailable, EngineError, QueueFull
from longshift.intake.acceptance import Acceptance, Delivery
from longshift.intake.standing import Outcome, Standing
from longshift.intake.suspects import Suspects
from longshift.policy.retry import backoff_seconds

log = structlog.get_logger("longshift.intake")


class HandOver:
    """Hands leases of one source on."""

    def __init__(self, acceptance: Acceptance, suspects: Suspects, standing: Standing, *, attempts: int) -> None:
        self._acceptance = acceptance
        self._suspects = suspects
        self._standing = standing
        self._attempts = attempts
        self.engine_failed = False
        """Set when the engine does not take a task, for whoever looks and clears it."""

    async def settle(self, lease: Lease) -> None:
        """Submit the task, then tell the broker; a broker that is away sends it again, which finds the session."""
        source = self._standing.name
        is_suspect = lease.attempt > self._attempts
        begun = await self._suspects.begin(source, lease.message_id) if is_suspect else 0
        is_hopeless = begun >= self._attempts
        try:
            outcome = await (self._bury(lease, _hopeless(lease, begun)) if is_hopeless else self._submit(lease))
        except BrokerUnavailable as error:
            outcome = Outcome.UNSETTLED
            log.debug("the broker did not hear what became of a message", source=source, error=str(error))
        self._standing.count(outcome)
        if is_suspect and not (is_hopeless and outcome is Outcome.UNSETTLED):
            await self._suspects.end(source, lease.message_id)

    async def give_back(self, lease: Lease) -> None:
        """Give the lease back for somebody else to take at once; without the broker its time runs out."""
        try:
            await lease.retry(0)
            self._standing.count(Outcome.RETURNED)
        except BrokerUnavailable:
            self._standing.count(Outcome.UNSETTLED)
        await self._suspects.end(self._standing.name, lease.message_id)

    async def _submit(self, lease: Lease) -> Outcome:
        delivery = Delivery(source=self._standing.name, body=lease.body, media_type=lease.media_type, key=lease.key)
        try:
            submission = await self._acceptance.accept(delivery)
        except BadInput as error:
            return await self._bury(lease, str(error))
        except QueueFull as error:
            await lease.retry(error.retry_after_seconds * (1 + random.random()))
            return Outcome.RETURNED
        except EngineError:
            self.engine_failed = True
            await lease.retry(backoff_seconds(lease.attempt, random.random()))
            return Outcome.RETURNED
        await lease.ack()
        return Outcome.ACCEPTED if submission.is_new else Outcome.KNOWN

    async def _bury(self, lease: Lease, reason: str) -> Outcome:
        log.warning("no task", source=self._standing.name, message_id=lease.message_id, reason=reason)
        await lease.dead_letter(reason)
        return Outcome.REFUSED


def _hopeless(lease: Lease, begun: int) -> str:
    return (
        f"delivered {lease.attempt} times, and {begun} times the intake process ended while it had the message in "
        "hand; its log says how. Put it back when that is mended"
    )
