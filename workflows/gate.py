"""The gate of one key: counts the sessions that hold slots, and lets the next one pass. Who that is, is policy."""

from datetime import timedelta

from temporalio import workflow

from longshift.contracts.activities import GateActivities
from longshift.contracts.gate import FindEndedInput, GateEntry, GateState
from longshift.policy import gate as policy
from workflows import options, signals

LOOK_SECONDS = 300.0
"""How often it is looked whether those inside still live, while somebody waits: a session that was terminated by hand
tells nobody."""
HISTORY_EVENTS = 2_000


@workflow.defn(name="Gate")
class Gate:
    """Lives while somebody is inside or waits."""

    @workflow.init
    def __init__(self, state: GateState) -> None:
        self._state = state

    @workflow.run
    async def run(self, state: GateState) -> None:
        """Let sessions pass until nobody is left."""
        while not policy.is_empty(self._state):
            await self._let_in()
            if self._is_grown():
                workflow.continue_as_new(self._state)
            before = self._state
            try:
                await workflow.wait_condition(
                    lambda: self._state != before,  # noqa: B023  # awaited within the round
                    timeout=timedelta(seconds=LOOK_SECONDS) if self._state.waiting else None,
                )
            except TimeoutError:
                await self._look()

    async def _let_in(self) -> None:
        while session := policy.next_in(self._state):
            self._state = policy.passed(self._state, session)
            if not await signals.to_session(session, "gate_opened"):
                self._state = policy.left(self._state, session)

    async def _look(self) -> None:
        """Those who have ended without a word are not inside any more."""
        ended = await workflow.execute_local_activity_method(
            GateActivities.find_ended, FindEndedInput(sessions=self._state.inside), **options.LEDGER
        )
        for session in ended.sessions:
            self._state = policy.left(self._state, session)

    def _is_grown(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= HISTORY_EVENTS or info.is_continue_as_new_suggested()

    @workflow.signal
    def enter(self, entry: GateEntry) -> None:
        """A session wants to pass."""
        self._state = policy.entered(self._state, entry)

    @workflow.signal
    def leave(self, session: str) -> None:
        """A session holds no slot any more."""
        self._state = policy.left(self._state, session)

    @workflow.query
    def status(self) -> GateState:
        """Who is inside, and who waits."""
        return self._state
