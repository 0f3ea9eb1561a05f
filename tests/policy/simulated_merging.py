"""A repository that merges and checks in memory, and a driver that does what `policy.reconcile` says."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.reconciling import Mending, Reconciling
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemStatus
from longshift.contracts.swarm_activities import Merge, MergeDigest
from longshift.contracts.swarm_plan import ItemRow
from longshift.policy import reconcile
from longshift.policy.reconcile import CheckBatch, MergeBatch, Settled


@dataclass(frozen=True)
class World:
    """What holds for the work of each item."""

    rows: tuple[ItemRow, ...]
    culprits: frozenset[str] = frozenset()
    """Red wherever they are."""
    conflicts: frozenset[frozenset[str]] = frozenset()
    """Pairs whose work does not fit together."""
    mendable: frozenset[str] = frozenset()
    """Items whose resolver succeeds."""
    unfit: frozenset[str] = frozenset()
    """Items whose bundle cannot be merged at all."""

    @property
    def innocents(self) -> set[str]:
        """Items that have nothing wrong with them."""
        paired = {item for pair in self.conflicts for item in pair}
        return {row.id for row in self.rows} - self.culprits - paired - self.unfit


@dataclass
class Driver:
    """Performs actions in the world, and seals items in between."""

    world: World
    state: Reconciling = field(default_factory=Reconciling)
    states: dict[int, tuple[Merge, ...]] = field(default_factory=lambda: {0: ()})
    settled: dict[str, Settled] = field(default_factory=dict[str, Settled])
    checks: int = 0
    unsteady: set[int] = field(default_factory=set[int])
    """Runs of the checks that are red for no reason."""
    resolved: list[Mending] = field(default_factory=list[Mending])

    def seal(self, items: Iterable[str]) -> None:
        """Their work is in the store."""
        for item in items:
            self.state = reconcile.sealed(self.state, Merge(item=item))

    def act(self) -> bool:
        """One action; False when there is none."""
        self.state, action = reconcile.next_action(self.state, self.world.rows)
        assert reconcile.next_action(self.state, self.world.rows) == (self.state, action)
        if isinstance(action, MergeBatch):
            self._take(reconcile.after_merge(self.state, self.merge(action), self.world.rows))
        elif isinstance(action, CheckBatch):
            self._take(reconcile.after_checks(self.state, self.check(action)))
        return action is not None

    def resolve(self) -> bool:
        """End one resolver; False when there is none."""
        waiting = [each for each in self.state.mending if not each.is_done]
        if not waiting:
            return False
        mending = waiting[0]
        self.resolved.append(mending)
        item = mending.merge.item
        failure = None if item in self.world.mendable else ItemFailure.STUCK
        end = ItemEnd(item=f"{item}.fix{mending.number}", failure=failure, reason="in vain" if failure else "")
        self._take(reconcile.after_resolver(self.state, item, end))
        return True

    def run(self, draw: random.Random | None = None) -> None:
        """To the end; `draw` decides when resolvers end."""
        for _ in range(10_000):
            if draw is not None and draw.random() < 0.3 and self.resolve():
                continue
            if not self.act() and not self.resolve():
                return
        raise AssertionError("it never ends")

    def merge(self, action: MergeBatch) -> MergeDigest:
        assert action.number not in self.states
        at = list(self.states[action.onto])
        merged: list[str] = []
        conflict = failure = ""
        for each in action.merges:
            failure = "its bundle is damaged" if each.item in self.world.unfit else ""
            clashes = any(frozenset({each.item, other.item}) in self.world.conflicts for other in at)
            if failure or (clashes and not each.by):
                conflict = each.item
                break
            at.append(each)
            merged.append(each.item)
        number = action.number if merged else action.onto
        self.states[number] = tuple(at)
        files = (f"{conflict}.py",) if conflict and not failure else ()
        return MergeDigest(
            number=number, merged=tuple(merged), conflict=conflict, conflict_files=files, failure=failure
        )

    def check(self, action: CheckBatch) -> ChecksDigest:
        self.checks += 1
        here = self.states[action.number]
        red = any(each.item in self.world.culprits and not each.by for each in here) or action.step in self.unsteady
        result = CheckResult(name="tests", passed=not red, detail="")
        return ChecksDigest(passed=not red, results=(result,))

    @property
    def merged(self) -> list[str]:
        """What is in the green state, in order."""
        assert [each.item for each in self.states[self.state.integrated]] == [each.item for each in self.state.merged]
        return [each.item for each in self.state.merged]

    def _take(self, outcome: tuple[Reconciling, tuple[Settled, ...]]) -> None:
        self.state, settled = outcome
        for each in settled:
            assert each.item not in self.settled
            self.settled[each.item] = each


def rows_of(count: int, before: Mapping[int, Sequence[int]] | None = None) -> tuple[ItemRow, ...]:
    """`count` items; `before` says which are merged before which."""
    return tuple(
        ItemRow(id=f"i{n:03}", merge_after=tuple(f"i{m:03}" for m in (before or {}).get(n, ()))) for n in range(count)
    )


def checks_bound(items: int, culprits: int) -> int:
    """How many runs of the checks are enough for a batch."""
    return 1 + culprits * (2 * math.ceil(math.log2(max(2, items))) + 4)


def statuses(driver: Driver) -> dict[str, ItemStatus]:
    """What became of each item."""
    return {item: each.status for item, each in driver.settled.items()}
