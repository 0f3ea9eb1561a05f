"""Plans for people: nothing is left out in silence, alike items are shown once, and a change is shown as one."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy import plan_changes, plan_diff, plan_text
from longshift.policy.plan_critic import LISTING_CHARACTERS, listing_of
from longshift.policy.plan_faults import Site
from longshift.policy.swarm_plan import PlanRefused, planned

SITE = Site(files=frozenset({"a.py"}), profiles=frozenset({"cheap"}), max_items=400)
COMMAND = "longshift swarm mend --plan"
TEMPLATE: dict[str, Any] = {
    "id": "annotate-{{number}}",
    "goal": "Annotate {{input}}.",
    "write_scope": ("{{input}}",),
    "checks": ({"name": "types", "run": "mypy {{input}}"},),
    "over": tuple(f"src/package/module_{number:03}.py" for number in range(300)),
}


def plan(*items: dict[str, Any], **fields: Any) -> SwarmPlan:
    return planned(DelegateArguments.model_validate({"goal": "All.", "items": items, **fields}), SITE)


def item(name: str, goal: str = "Do it.", **fields: Any) -> dict[str, Any]:
    return {"id": name, "goal": goal, **fields}


def amended(before: SwarmPlan, *lines: str) -> SwarmPlan:
    return plan_changes.amended(before, "\n".join(lines), SITE)


def refused(before: SwarmPlan, *lines: str) -> str:
    with pytest.raises(PlanRefused) as error:
        amended(before, *lines)
    return str(error.value)


def test_a_plan_is_shown_with_all_its_fields() -> None:
    first = item("a", write_scope=("src/**",), inputs=("a.py",), budget_share=0.25, model="cheap")
    shown = plan_text.shown(
        plan(
            first,
            item("b", "Do this\nand that.", depends_on=("a",), checks=({"name": "t", "run": "make t"},)),
            item("c", merge_after=("a",)),
            checks=({"name": "all", "run": "make all"},),
        ),
        "mend",
    )
    assert shown == (
        """\
Goal: All.
3 items
check of the merged tree: all: `make all`

a
  goal: Do it.
  may change: src/**
  reads: a.py
  share of the budget: 0.25
  model: cheap

b
  goal: Do this
    and that.
  may change: nothing: it only reports
  starts after: a
  check t: `make t`

c
  goal: Do it.
  may change: nothing: it only reports
  is merged after: a""",
    )


def test_three_hundred_items_of_a_template_are_shown_once_and_whole() -> None:
    shown = plan_text.shown(plan(item("setup"), templates=(TEMPLATE,)), "mend")
    text = "".join(shown)
    assert len(shown) <= plan_text.PIECES
    assert "NOT ALL" not in text
    assert "annotate-001 … annotate-300 (300 items) from one template, annotate-{{number}}:" in text
    assert 1 == text.count("Annotate {{input}}.")
    assert all(f": {value}" in text for value in TEMPLATE["over"])


def test_an_item_that_is_not_what_its_template_makes_is_shown_by_itself() -> None:
    changed = amended(plan(templates=(TEMPLATE,)), "goal annotate-002: Delete everything.")
    text = "".join(plan_text.shown(changed, "mend"))
    assert "annotate-002\n  goal: Delete everything." in text
    assert "annotate-003 … annotate-300 (298 items)" in text


def test_what_is_shortened_is_said_and_where_all_of_it_is() -> None:
    shown = plan_text.shown(plan(*(item(f"i{number}", f"{number} " * 400) for number in range(100))), "mend")
    assert len(shown) <= plan_text.PIECES
    assert all(len(piece) <= plan_text.PIECE_CHARACTERS for piece in shown)
    assert shown[0].startswith("NOT ALL OF THE PLAN IS SHOWN HERE: the texts of 100 items are shortened. All of it: ")
    assert COMMAND in shown[0]
    assert "more characters)" in shown[0]


def test_items_for_which_there_is_no_room_are_counted() -> None:
    items = [item(f"i{number}", "x" * 500, write_scope=(f"{number}/" + "y" * 300,)) for number in range(300)]
    shown = plan_text.shown(plan(*items), "mend")
    text = "".join(shown)
    assert len(shown) <= plan_text.PIECES
    missing = int(text.partition("SHOWN HERE: ")[2].partition(" of 300 items are not shown")[0])
    assert 300 - missing == text.count("\n  goal: ")


@given(st.text("ab \n", max_size=9_000))
def test_pieces_are_the_text(text: str) -> None:
    pieces = plan_text.pieces(text)
    assert text == "".join(pieces)
    assert all(0 < len(piece) <= plan_text.PIECE_CHARACTERS for piece in pieces)


def test_every_kind_of_change_is_applied() -> None:
    before = plan(item("a", checks=({"name": "old", "run": "old"},)), item("b"), item("c", depends_on=("b",)))
    after = amended(
        before,
        "goal a: Do: this",
        "  and that.",
        "scope a: src/**, docs/",
        "inputs a: a.py",
        "checks a: make lint",
        "checks a: make test",
        "share a: 0.5",
        "model a: cheap",
        "",
        "strike b",
        "after c: a",
        "add d: Write it down.",
        "scope d: docs/",
        "merge-after d: a, c",
    )
    a, c, d = after.items
    assert ("Do: this\nand that.", ("src/**", "docs/"), ("a.py",), 0.5, "cheap") == (
        a.goal,
        a.write_scope,
        a.inputs,
        a.budget_share,
        a.model,
    )
    assert [("make lint", "make lint"), ("make test", "make test")] == [(check.name, check.run) for check in a.checks]
    assert (("a",), ("docs/",), ("a", "c"), ("b",)) == (c.depends_on, d.write_scope, d.merge_after, after.struck)


def test_a_pattern_stands_for_all_items_that_it_fits() -> None:
    after = amended(plan(templates=(TEMPLATE,)), "strike annotate-1* annotate-002", "share annotate-00*: 0.1")
    assert 199 == len(after.items)
    assert 101 == len(after.struck)
    assert [0.1] * 8 == [each.budget_share for each in after.items if each.budget_share]


def test_an_order_can_be_written_anew_with_what_is_struck() -> None:
    before = plan(item("last", depends_on=("annotate-*",)), templates=(TEMPLATE,))
    text = refused(before, "strike annotate-007")
    assert "strike annotate-007: 'last' comes after; strike it too, or write its order anew: after last: …" in text
    after = amended(before, "strike annotate-007", "after last: annotate-*")
    assert 299 == len(after.items[0].depends_on)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "the change is empty; write a line for each: strike ID"),
        ("remove a", "line 1 (remove a): is no change; there are strike ID"),
        ("strike zz", "line 1 (strike zz): there is no item 'zz'; the items are a, b"),
        ("goal a", "has no colon; write goal ID: …"),
        ("share a: much", "'much' is no number"),
        ("add a: x", "there is an item 'a' already; change it with goal a: …"),
        ("goal a:", "item 'a', goal: is empty"),
        ("add Big One: x", "item 'Big One', id: 'Big One' is no id"),
        ("scope a: ../x", "item 'a', write_scope: '../x'"),
        ("model a: best", "no profile is named 'best'"),
        ("after a: b\nafter b: a", "waits for itself"),
        ("strike a b", "items: the plan has none"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_with_its_line_and_the_remedy(line: str, fault: str) -> None:
    assert fault in refused(plan(item("a"), item("b")), line)


def test_nothing_is_applied_unless_all_lines_are() -> None:
    text = refused(plan(item("a"), item("b")), "strike a", "goal zz: x", "share b: y")
    assert "(2 faults)" in text
    assert "line 2" in text
    assert "line 3" in text


def test_a_struck_item_stays_struck_over_later_changes_until_it_is_added() -> None:
    once = amended(plan(item("a"), item("b"), item("c")), "strike a")
    assert ("a", "b") == amended(once, "strike b").struck
    assert () == amended(once, "add a: Again.").struck


def test_a_whole_plan_replaces_the_one_before() -> None:
    arguments = DelegateArguments.model_validate({"goal": "Else.", "items": (item("b"), item("n"))})
    after = plan_changes.replaced(plan(item("a"), item("b")), arguments, SITE)
    assert (["b", "n"], ("a",), "Else.") == ([each.id for each in after.items], after.struck, after.goal)


def test_a_change_is_shown_as_a_difference() -> None:
    before = plan(item("a"), item("b"), item("same"))
    after = amended(before, "strike b", "goal a: Do that.", "add c: New.")
    assert plan_diff.changes(before, after, "mend") == (
        """\
1 added, 1 struck, 1 edited, 1 as they were
@@ a (edited) @@
 a
-  goal: Do it.
+  goal: Do that.
   may change: nothing: it only reports
@@ c (added) @@
+c
+  goal: New.
+  may change: nothing: it only reports
@@ b (struck) @@
-b
-  goal: Do it.
-  may change: nothing: it only reports""",
    )


def test_a_large_difference_says_what_it_leaves_out() -> None:
    before = plan(*(item(f"i{number}") for number in range(300)))
    after = amended(before, *(f"goal i{number}: {'x' * 500}" for number in range(300)))
    shown = plan_diff.changes(before, after, "mend")
    assert plan_text.PIECES == len(shown)
    assert "NOT ALL CHANGES ARE SHOWN HERE" in shown[-1]
    assert COMMAND in shown[-1]


def test_a_listing_of_many_files_tells_folders_by_their_number() -> None:
    assert "a.py\nsrc/b.py" == listing_of(("src/b.py", "a.py"))
    names = [f"src/part{number % 40}/deep/{number}.py" for number in random.Random(1).sample(range(20_000), 20_000)]
    listing = listing_of(names)
    assert len(listing) <= LISTING_CHARACTERS
    assert "src/part7/deep/ (500 files)" in listing
