"""What all sessions together spend: one workflow for all, which tells them when to hold. What that means is policy."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from longshift.contracts.activities import GateActivities
from longshift.contracts.fleet import FleetRaise, FleetSpend, FleetState
from longshift.contracts.gate import FindEndedInput
from longshift.policy import fleet as policy
from workflows import attributes, options, signals

HISTORY_EVENTS = 2_000


@workflow.defn(name="Fleet")
class Fleet:
    """Lives from the first session with a limit on."""

    @workflow.init
    def __init__(self, state: FleetState) -> None:
        self._state = policy.rolled(state, workflow.time())
        self._looked_on = self._state.day.key

    @workflow.run
    async def run(self, state: FleetState) -> None:
        """Count, alert, and tell sessions to hold or to go on, for ever."""
        while True:
            self._settle()
            if self._state.day.key != self._looked_on:
                await self._look()
            await self._tell()
            if self._is_grown():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self._state)
            before = self._state
            seconds = policy.seconds_to_next_day(workflow.time()) if before.hold.reason else None
            try:
                await workflow.wait_condition(
                    lambda: self._state != before,  # noqa: B023  # awaited within the round
                    timeout=None if seconds is None else timedelta(seconds=seconds + 1),
                    timeout_summary="until the next day" if seconds else None,
                )
            except TimeoutError:
                continue

    def _settle(self) -> None:
        last = self._state.notices[-1].number if self._state.notices else 0
        self._state = policy.settled(self._state, workflow.time())
        for notice in self._state.notices:
            if notice.number > last:
                workflow.logger.warning("fleet budget: %s", notice.text)
                attributes.count_fleet_alert(notice)

    async def _tell(self) -> None:
        """Those who have not heard yet. One that is gone has ended without a word."""
        while waiting := policy.to_tell(self._state):
            session, hold = waiting[0], self._state.hold
            self._state = policy.with_told(self._state, session, is_held=bool(hold.reason))
            if not await signals.to_session(session, "hold_for_fleet", hold):
                self._state = policy.ended(self._state, (session,), workflow.time())

    async def _look(self) -> None:
        """Once a day: sessions that were terminated by hand told nobody."""
        self._looked_on = self._state.day.key
        at_work = tuple(name for name, each in self._state.sessions.items() if not each.ended_at)
        if at_work:
            gone = await workflow.execute_local_activity_method(
                GateActivities.find_ended, FindEndedInput(sessions=at_work), **options.LEDGER
            )
            self._state = policy.ended(self._state, gone.sessions, workflow.time())

    def _is_grown(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= HISTORY_EVENTS or info.is_continue_as_new_suggested()

    @workflow.signal
    def tell(self, spend: FleetSpend) -> None:
        """A session tells what it has spent so far."""
        self._state = policy.told(self._state, spend, workflow.time())

    @workflow.update(name="raise")
    def raise_limits(self, wish: FleetRaise) -> str:
        """Set higher limits until their period ends."""
        self._state = policy.raised(self._state, wish, workflow.time())
        return "raised until the period ends"

    @raise_limits.validator
    def _may_raise(self, wish: FleetRaise) -> None:
        if refusal := policy.refuse_raise(self._state, wish, workflow.time()):
            raise ApplicationError(refusal, type="refused", non_retryable=True)

    @workflow.update
    def release(self, by: str) -> str:
        """Let sessions go on in spite of what is used up, until the period ends."""
        workflow.logger.warning("fleet budget: released by %s", by or "a person")
        self._state = policy.released(self._state, workflow.time())
        return "sessions go on until the period ends"

    @release.validator
    def _may_release(self, by: str) -> None:
        if not self._state.hold.reason:
            raise ApplicationError("no session is held for the fleet's budget", type="refused", non_retryable=True)

    @workflow.query
    def status(self) -> FleetState:
        """What was spent, and by whom."""
        return self._state
