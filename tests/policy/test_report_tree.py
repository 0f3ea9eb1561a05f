"""What a lead reads of its swarm: always within the limit, every item named or in a group that is, nothing invented."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.swarm import CriticalPath, ItemFailure, ItemReport, ItemStatus, SwarmSummary
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.policy.report_groups import ALL, GROUP_MEMBERS, Group, find, groups_of
from longshift.policy.report_texts import first_sentences, questions_of
from longshift.policy.report_tree import LIMIT_CHARACTERS, Reports, group_text, page, reduced

NO_PATH = CriticalPath()
NAMED_GROUP = re.compile(r'read_report\(group="([a-z0-9.]+)"\)')


def a_plan(*names: str, after: Mapping[str, tuple[str, ...]] | None = None) -> SwarmPlan:
    needs = after or {}
    return SwarmPlan(
        goal="all", items=tuple(SwarmItem(id=name, goal="g", depends_on=needs.get(name, ())) for name in names)
    )


def many(prefix: str, number: int) -> tuple[str, ...]:
    return tuple(f"{prefix}-{each:03d}" for each in range(number))


def report(item: str, summary: str = "Typed it. Nothing else was needed.", **more: object) -> ItemReport:
    given = {"status": ItemStatus.MERGED, "files": (f"src/{item}.py",), "insertions": 3, "steps": 10}
    return ItemReport.model_validate({"item": item, "summary": summary, **given, **more})


def told(
    plan: SwarmPlan,
    reports: Mapping[str, ItemReport],
    statuses: Mapping[str, str] | None = None,
    reasons: Mapping[str, str] | None = None,
    limit: int = LIMIT_CHARACTERS,
) -> str:
    known = statuses if statuses is not None else {each.id: "merged" for each in plan.items}
    return reduced(plan, reports, known, reasons or {}, SwarmSummary(swarm="t.swarm1"), NO_PATH, limit)


def reachable(text: str, plan: SwarmPlan) -> set[str]:
    """The items that the text names, or that are in a group that it names."""
    root = groups_of(plan)
    found = {item.id for item in plan.items if re.search(rf"(?<![\w-]){item.id}(?![\w-])", text)}
    for name in NAMED_GROUP.findall(text):
        group = find(root, name)
        assert group is not None, f"{name} is no group"
        found |= set(group.items)
    return found


def test_a_few_reports_are_told_whole() -> None:
    long = "First.\n\nThen a long story. " + "It goes on. " * 200 + "The end."
    reports = {
        "a": report("a", long, measurements={"speed_seconds": 1.5}, open_questions=("Which way?",)),
        "b": report("b", attempt=2, branch="item b"),
    }

    text = told(a_plan("a", "b"), reports)

    for part in (
        "## a: merged",
        "The end.",
        "src/a.py",
        "speed_seconds = 1.5",
        "Which way?",
        "## b: merged, attempt 2",
    ):
        assert part in text
    assert "read_report" not in text


def test_what_is_not_merged_comes_first_with_its_reason() -> None:
    plan = a_plan(*many("mod", 40))
    statuses = {each.id: "merged" for each in plan.items} | {
        "mod-007": "failed",
        "mod-030": "blocked",
        "mod-031": "blocked",
    }
    reasons = {
        "mod-007": "the checks stayed red",
        "mod-030": "mod-007 is not merged",
        "mod-031": "mod-007 is not merged",
    }
    reports = {each.id: report(each.id, open_questions=("Drop Python 3.8?",)) for each in plan.items}

    lines = told(plan, reports, statuses, reasons).splitlines()

    assert lines[:6] == [
        "37 of 40 items of the swarm are merged.",
        "Not merged:",
        "- mod-007: failed: the checks stayed red",
        "- mod-030, mod-031: blocked: mod-007 is not merged",
        "Open questions:",
        "- Drop Python 3.8? (mod-000, mod-001, mod-002, mod-003, mod-004 and 35 more)",
    ]


def test_the_head_tells_branch_checks_spend_and_the_critical_path() -> None:
    path = CriticalPath(steps=20, serial_steps=160, speed_up=8.0, seconds=30, serial_seconds=240)
    checks = ChecksDigest(passed=False, results=(CheckResult(name="suite", passed=False, detail=""),))

    text = reduced(
        a_plan("a"),
        {"a": report("a")},
        {"a": "merged"},
        {},
        SwarmSummary(swarm="s"),
        path,
        branch="t/swarm1",
        checks=checks,
    )

    assert "branch: t/swarm1" in text
    assert "checks of the whole: 0/1 checks green; red: suite" in text
    assert "critical path: 20 steps, against 160 one after the other (8.0 times as fast)" in text


def test_three_hundred_reports_fit_and_each_can_be_paged_to() -> None:
    plan = a_plan(*many("annotate", 200), *many("mend", 100), after={"mend-000": ("annotate-000",)})
    reports = {each.id: report(each.id, "Did it. " * 2_000, measurements={"seconds": 1.0}) for each in plan.items}

    text = told(plan, reports)

    assert len(text) <= LIMIT_CHARACTERS
    assert {each.id for each in plan.items} == reachable(text, plan)
    assert "seconds: 1 / 1 / 1 in 20 reports (least, median, most)" in text
    group = group_text(Reports(plan, reports, {}, {}), "1.1.1")
    assert group is not None
    assert "- annotate-019 (merged): Did it." in group


def test_all_failed_items_are_named_even_where_reasons_are_long() -> None:
    plan = a_plan(*(f"{'x' * 34}-{number:03d}" for number in range(300)))
    statuses = {each.id: "failed" for each in plan.items}
    reasons = {each.id: f"{each.id} went wrong " * 9 for each in plan.items}
    reports = {each.id: report(each.id, status=ItemStatus.FAILED, failure=ItemFailure.STUCK) for each in plan.items}

    text = told(plan, reports, statuses, reasons)

    assert len(text) <= LIMIT_CHARACTERS
    assert [] == [each.id for each in plan.items if each.id not in text]


def test_the_same_question_is_told_once() -> None:
    reports = [report("a", open_questions=("Keep it?", "Else")), report("b", open_questions=("keep  it",))]

    assert [("Keep it?", ["a", "b"]), ("Else", ["a"])] == questions_of(reports)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One. Two. Three.", 9, "One. Two."),
        ("A long sentence without an end", 10, "A long se…"),
        ("v1.2 is out. Yes", 100, "v1.2 is out. Yes"),
        ("", 10, ""),
    ],
)
def test_a_summary_is_shortened_to_whole_sentences(text: str, limit: int, expected: str) -> None:
    assert expected == first_sentences(text, limit)


def test_groups_follow_stages_then_families_then_the_order() -> None:
    plan = a_plan(*many("lint", 25), *many("doc", 3), "last", after={"last": ("doc-000",)})

    root = groups_of(plan)

    assert [("1", "stage 1"), ("2", "stage 2")] == [(part.name, part.label) for part in root.parts]
    first = root.parts[0]
    assert [("1.1", "stage 1, lint*", 25), ("1.2", "stage 1, doc*", 3)] == [
        (part.name, part.label, len(part.items)) for part in first.parts
    ]
    assert [13, 12] == [len(part.items) for part in first.parts[0].parts]
    assert ALL == groups_of(a_plan("a", "b")).name


def test_a_long_text_is_read_page_by_page() -> None:
    text, seen, offset = "".join(f"{number}," for number in range(20_000)), "", 0
    while True:
        part = page(text, offset, 'item="a"', 30_000)
        found = re.search(r'\n… characters .*; read_report\(item="a", offset=(\d+)\) goes on$', part)
        seen += part[: found.start()] if found else part
        if not found:
            break
        offset = int(found[1])
    assert text == seen


NAMES = st.lists(st.sampled_from(["a", "lint", "doc-x"]), min_size=1, max_size=70).map(
    lambda families: [f"{family}-{number}" for number, family in enumerate(families)]
)
TEXT = st.text(max_size=60) | st.sampled_from(["Done. " * 100, "a\nb\nc", "## mod: merged", ""])


@st.composite
def swarms(draw: st.DrawFn) -> tuple[SwarmPlan, dict[str, ItemReport], dict[str, str], dict[str, str]]:
    names = draw(NAMES)
    after = {name: (draw(st.sampled_from(names[:number])),) for number, name in enumerate(names) if number % 3 == 2}
    plan = a_plan(*names, after=after)
    reports, statuses, reasons = dict[str, ItemReport](), dict[str, str](), dict[str, str]()
    for name in names:
        statuses[name] = draw(st.sampled_from(ItemStatus)).value
        if statuses[name] != "merged":
            reasons[name] = draw(TEXT)
        if draw(st.booleans()):
            questions = draw(st.lists(st.text(min_size=1, max_size=40), max_size=2))
            reports[name] = report(name, draw(TEXT), status=statuses[name], open_questions=tuple(questions))
    return plan, reports, statuses, reasons


@settings(max_examples=60)
@given(swarms(), st.integers(6_000, 30_000))
def test_it_never_exceeds_the_limit_and_every_item_can_be_reached(
    swarm: tuple[SwarmPlan, dict[str, ItemReport], dict[str, str], dict[str, str]], limit: int
) -> None:
    plan, reports, statuses, reasons = swarm

    text = told(plan, reports, statuses, reasons, limit)

    assert len(text) <= limit
    assert {each.id for each in plan.items} == reachable(text, plan)
    merged = sum(status == "merged" for status in statuses.values())
    assert text.startswith(f"{merged} of {len(plan.items)} items of the swarm are merged.")


@settings(max_examples=60)
@given(swarms(), st.integers(0, 2_000))
def test_a_small_limit_holds_too(
    swarm: tuple[SwarmPlan, dict[str, ItemReport], dict[str, str], dict[str, str]], limit: int
) -> None:
    plan, reports, statuses, reasons = swarm

    assert len(told(plan, reports, statuses, reasons, limit)) <= limit
    group = group_text(Reports(plan, reports, statuses, reasons), ALL, limit)
    assert group is not None
    assert len(group) <= limit


@settings(max_examples=60)
@given(NAMES)
def test_groups_hold_every_item_once_and_are_small(names: list[str]) -> None:
    def leaves(group: Group) -> list[str]:
        assert len(group.parts or group.items) <= GROUP_MEMBERS
        inner = [item for part in group.parts for item in leaves(part)]
        assert not group.parts or sorted(inner) == sorted(group.items)
        return inner or list(group.items)

    root = groups_of(a_plan(*names))

    assert sorted(names) == sorted(leaves(root))
    assert all(find(root, part.name) is part for part in root.parts)
