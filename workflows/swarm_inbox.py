"""What the lead says to a swarm, and its items do, and what it answers. The life of a swarm is in `swarm`."""

from temporalio import workflow

from longshift.contracts.ledger import Extension
from longshift.contracts.swarm import ItemEnd, ItemNews, ItemNote, ItemWord, SwarmSummary, SwarmTable
from longshift.contracts.workspace import Workspace
from longshift.policy import swarm_begin, swarm_budget, swarm_resolvers, swarm_view, swarm_window
from workflows.swarm_items import SwarmItems


class SwarmInbox(SwarmItems):
    """All handlers of a swarm."""

    @workflow.signal
    def item_ended(self, end: ItemEnd) -> None:
        """An attempt is over that an earlier run has begun."""
        self._take_end(end)

    @workflow.signal
    def item_status(self, news: ItemNews) -> None:
        """An item is held up, or goes on, or has met a 429."""
        self._changed(swarm_resolvers.heard(swarm_window.heard(self._state, news, workflow.time()), news))

    @workflow.signal
    async def deliver_note(self, note: ItemNote) -> None:
        """A message for one item, or for all."""
        self._changed(swarm_begin.with_note(self._state, note))
        items = (note.item,) if note.item else swarm_window.at_work(self._state)
        await self._tell(items, "deliver_note", note.note)

    @workflow.signal
    async def strike(self, word: ItemWord) -> None:
        """Take an item out, whatever it has done; whoever works on it, or mends its merge, is cancelled."""
        before = self._state
        is_at_work = word.item in swarm_window.at_work(before)
        whom = (word.item,) if is_at_work else swarm_resolvers.of_item(before, word.item)
        self._changed(swarm_window.struck(before, word))
        self._drop_settled(before)
        await self._cancel(whom)

    @workflow.signal
    async def set_paused(self, paused: bool) -> None:
        """Begin nothing, and hold everybody between two steps; or go on."""
        self._changed(self._state.model_copy(update={"paused": paused}))
        await self._tell(self._state.account.shares, "set_paused", paused)

    @workflow.signal
    async def hold_for_fleet(self, held: bool) -> None:
        """All sessions together have spent what they may, or go on."""
        self._changed(self._state.model_copy(update={"fleet_held": held}))
        await self._tell(self._state.account.shares, "hold_for_fleet", held)

    @workflow.signal
    def extend(self, more: Extension) -> None:
        """A person gave more of the budget: what begins from now on shares in it."""
        account = swarm_budget.extended(self._state.account, more)
        self._changed(self._state.model_copy(update={"account": account}))

    @workflow.signal
    async def wake(self) -> None:
        """Try again what was waited for."""
        self._changed()
        self._integration.wake()
        await self._tell(self._state.account.shares, "wake")

    @workflow.signal
    async def wrap_up(self, remaining_seconds: float) -> None:
        """The end of the session's time is near."""
        until = workflow.time() + remaining_seconds
        self._changed(self._state.model_copy(update={"wrap_up_at": until}))
        await self._tell(self._state.account.shares, "wrap_up", remaining_seconds)

    @workflow.signal
    async def end(self, reason: str) -> None:
        """Begin nothing more, let everybody hand off, integrate what is sealed."""
        before = self._state
        self._changed(swarm_window.ending(before, reason))
        self._drop_settled(before)
        await self._tell(self._state.account.shares, "end", reason)

    @workflow.signal
    def workspace_granted(self, workspace: Workspace) -> None:
        """A host holds the lead's workspace, perhaps another one."""
        start = self._state.start.model_copy(update={"workspace": workspace})
        self._changed(self._state.model_copy(update={"start": start, "has_slot": True}))

    @workflow.signal
    def workspace_lost(self, generation: int) -> None:
        """No host holds the lead's workspace any more: what needs it waits."""
        if generation == self._state.start.workspace.generation:
            self._changed(self._state.model_copy(update={"has_slot": False}))

    @workflow.query
    def summary(self) -> SwarmSummary:
        """How far it has come."""
        return swarm_view.summary(self._state, workflow.time(), self._integration.trouble)

    @workflow.query
    def table(self) -> SwarmTable:
        """Each item in a line."""
        return swarm_view.table(self._state, workflow.time(), self._integration.trouble)
