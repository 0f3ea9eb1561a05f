"""Plans of swarms: what is refused, in words that a model can act on, and what the rest becomes."""

import itertools
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy.plan_faults import Site
from longshift.policy.plan_order import Order
from longshift.policy.swarm_plan import (
    REFUSED_CHARACTERS,
    PlanRefused,
    canonical,
    hash_of,
    made_of,
    planned,
    rows_of,
    title_of,
)

FILES = frozenset({"src/a.py", "src/b.py", "src/deep/c.py", "setup.py", "conftest.py", "pages/[id].tsx"})
SITE = Site(
    files=FILES,
    profiles=frozenset({"cheap", "dear"}),
    protected=("tests/**",),
    task_checks=frozenset({"suite"}),
    max_items=300,
)


def arguments(*items: dict[str, Any], **fields: Any) -> DelegateArguments:
    return DelegateArguments.model_validate({"goal": "All of it.", "items": items, **fields})


def item(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "goal": f"Do {name}.", **fields}


def plan(*items: dict[str, Any], **fields: Any) -> SwarmPlan:
    return planned(arguments(*items, **fields), SITE)


def refused(*items: dict[str, Any], site: Site = SITE, **fields: Any) -> str:
    with pytest.raises(PlanRefused) as error:
        planned(arguments(*items, **fields), site)
    return str(error.value)


def test_a_plan_keeps_what_it_was_given() -> None:
    made = plan(
        item("a", write_scope=("src/a.py",), inputs=("./src/b.py", "src/"), budget_share=0.5, model="cheap"),
        item("b", depends_on=("a",), checks=({"name": "types", "run": "mypy src"},)),
        checks=({"name": "all", "run": "make"},),
    )
    first, second = made.items
    assert (("src/a.py",), ("src/b.py", "src"), 0.5, "cheap") == (
        first.write_scope,
        first.inputs,
        first.budget_share,
        first.model,
    )
    assert [("types", "mypy src")] == [(check.name, check.run) for check in second.checks]
    assert [("a", False, ()), ("b", True, ("a",))] == [
        (row.id, row.has_checks, row.depends_on) for row in rows_of(made)
    ]


def test_a_template_makes_an_item_of_each_input() -> None:
    files = tuple(f"src/m{number}.py" for number in range(12))
    template = {
        "id": "annotate-{{number}}",
        "goal": "Annotate {{input}} ({{slug}}).",
        "inputs": ("{{ input }}",),
        "write_scope": ("{{input}}",),
        "checks": ({"name": "types {{number}}", "run": "mypy {{input}}"},),
        "over": files,
    }
    site = Site(files=frozenset(files))
    made = planned(arguments(templates=(template,)), site)
    assert [f"annotate-{number:02}" for number in range(1, 13)] == [each.id for each in made.items]
    last = made.items[-1]
    assert ("Annotate src/m11.py (src-m11-py).", ("src/m11.py",), ("src/m11.py",)) == (
        last.goal,
        last.inputs,
        last.write_scope,
    )
    assert ("types 12", "mypy src/m11.py") == (last.checks[0].name, last.checks[0].run)
    assert {each.id for each in made.items} == {*made_of(made)}


def test_slugs_fit_into_ids() -> None:
    template = {"id": "x-{{slug}}", "goal": "g", "over": ("A very long name of a thing/" * 4 + "The End.py", "b")}
    names = [each.id for each in plan(templates=(template,)).items]
    assert names[0].endswith("the-end-py")
    assert all(len(name) <= 40 for name in names)


def test_patterns_in_orders_stand_for_all_that_they_name() -> None:
    made = plan(item("a-1"), item("a-2"), item("last", depends_on=("a-*",), merge_after=("*",)))
    assert ("a-1", "a-2") == made.items[2].depends_on
    assert () == made.items[2].merge_after


def test_the_path_of_a_file_stands_for_that_file_alone() -> None:
    made = plan(item("a", write_scope=("setup.py", "pages/[id].tsx")), item("b", write_scope=("conftest.py", "src/**")))
    assert ("/setup.py", "pages/\\[id\\].tsx") == made.items[0].write_scope


def test_the_name_of_a_folder_stands_for_that_folder_alone() -> None:
    made = plan(item("a", write_scope=("src",)), item("b", write_scope=("pages/",)), item("c", write_scope=("/new/",)))
    assert [("/src/",), ("/pages/",), ("/new/",)] == [each.write_scope for each in made.items]


def test_braces_in_a_goal_are_text() -> None:
    assert "Render {{input}}." == plan(item("a", goal="Render {{input}}.")).items[0].goal


def test_orders_and_patterns_that_are_too_many_are_refused() -> None:
    chain = [item(f"i{number}", depends_on=tuple(f"i{other}" for other in range(number))) for number in range(70)]
    assert "2,415 orders between items, at most 2,000 are allowed" in refused(*chain)
    many = [item(f"i{number}", write_scope=tuple(f"d{number}/{each}*" for each in range(100))) for number in range(31)]
    assert "all items together have 3,100 patterns, at most 3,000" in refused(*many)


def test_an_item_may_read_what_one_before_it_writes() -> None:
    first = item("a", write_scope=("gen/**",))
    assert plan(first, item("b", depends_on=("a",)), item("c", depends_on=("b",), inputs=("gen/deep/x.py",)))
    assert "'gen/x.py' is not in the workspace" in refused(first, item("c", merge_after=("a",), inputs=("gen/x.py",)))


@pytest.mark.parametrize(
    ("items", "fault", "remedy"),
    [
        ([item("Bad Id")], "item 'Bad Id', id: 'Bad Id' is no id", "use lower-case letters"),
        ([item("-a")], "is no id", "use lower-case"),
        ([item("seed")], "item 'seed', id: the runner uses this name itself", "choose another"),
        ([item("a"), item("a")], "item 'a', id: 2 items have it", "ids must differ"),
        ([item("a", goal=" ")], "item 'a', goal: is empty", "say what"),
        ([item("a", goal="x" * 8_001)], "has 8,001 characters, at most 8,000", "put what is long into a file"),
        ([item("a", write_scope=("{{input}}",))], "has a {{placeholder}}", "only templates are filled in"),
        ([item("a", depends_on=("b",))], "item 'a', depends_on: there is no item 'b'", "name an item of this plan"),
        ([item("a", merge_after=("z-*",))], "item 'a', merge_after: there is no item 'z-*'", "name an item"),
        ([item("a", depends_on=("a",))], "item 'a', depends_on: names the item itself", "leave it out"),
        ([item("a", write_scope=("../x",))], "item 'a', write_scope: '../x'", "write the path from the root"),
        ([item("a", write_scope=("tests/test_a.py",))], "is protected by the task (tests/**)", "leave it out"),
        ([item("a", inputs=("/etc/passwd",))], "'/etc/passwd' is no path within the workspace", "from the root"),
        ([item("a", inputs=("src/../../x",))], "is no path within the workspace", "without .."),
        ([item("a", inputs=("src/new.py",))], "item 'a', inputs: 'src/new.py' is not in the workspace", "depend on"),
        ([item("a", budget_share=0)], "item 'a', budget_share: is 0", "above 0"),
        ([item("a", budget_share=float("nan"))], "budget_share: is nan", "above 0"),
        (
            [item("a", budget_share=0.7), item("b", budget_share=0.7)],
            "all shares together are 1.4",
            "make them smaller",
        ),
        ([item("a", budget_share=1), item("b")], "so 1 items without get none", "give them one too"),
        ([item("a", model="best")], "item 'a', model: no profile is named 'best'", "there are cheap, dear"),
        ([item("a", checks=({"name": "a/b", "run": "x"},))], "'a/b' is no name of a check", "use letters"),
        ([item("a", checks=({"name": "a", "run": " "},))], "item 'a', checks: 'a' has no command", "say what is run"),
        ([item("a", checks=({"name": "a", "run": "x"},) * 2)], "several are named 'a'", "names must differ"),
        ([item("a", checks=({"name": "a", "run": "x" * 1_001},))], "has 1,001 characters", "put it into a script"),
    ],
)
def test_a_fault_names_item_field_and_remedy(items: list[dict[str, Any]], fault: str, remedy: str) -> None:
    text = refused(*items)
    assert fault in text
    assert remedy in text


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "items: the plan has none"),
        ({"goal": " "}, "goal: is empty"),
        ({"checks": ({"name": "suite", "run": "x"},)}, "'suite' is a check of the task"),
        ({"templates": ({"id": "a", "goal": "g", "over": ("x", "y")},)}, "all its items would have one id"),
        ({"templates": ({"id": "a-{{number}}", "goal": "{{path}}", "over": ("x",)},)}, "{{path}} is no placeholder"),
    ],
)
def test_a_fault_of_the_plan_is_named(fields: dict[str, Any], fault: str) -> None:
    assert fault in refused(**fields)


def test_too_many_items_are_refused_before_any_is_made() -> None:
    template = {"id": "a-{{number}}", "goal": "g", "over": tuple(map(str, range(301)))}
    assert "the plan has 301, at most 300 are allowed" in refused(templates=(template,))
    assert "this task allows no sub-agents" in refused(item("a"), site=Site(max_items=0))


def test_a_cycle_is_named_over_both_orders() -> None:
    text = refused(item("a", depends_on=("c",)), item("b", merge_after=("a",)), item("c", depends_on=("b",)), item("d"))
    assert "waits for itself" in text
    shown = text.partition("waits for itself: ")[2].partition(";")[0].split(" → ")
    assert ({"a", "b", "c"}, shown[0]) == ({*shown}, shown[-1])


def test_overlapping_scopes_need_an_order() -> None:
    one, other = item("a", write_scope=("src/**",)), item("b", write_scope=("src/new/*.py",))
    text = refused(one, other)
    assert "items 'a' and 'b', write_scope: 'src/**' and 'src/new/*.py' both allow 'src/new/" in text
    assert "merge_after or depends_on 'a' in 'b'" in text
    assert plan(one, {**other, "merge_after": ("a",)})
    assert plan({**one, "merge_after": ("b",)}, other)
    assert plan(one, item("middle", depends_on=("a",)), {**other, "merge_after": ("middle",)})
    assert "both allow" in refused(one, item("first"), {**other, "depends_on": ("first",)})


def test_a_name_without_a_slash_is_explained() -> None:
    text = refused(item("a", write_scope=("new.py",)), item("b", write_scope=("other.py",)))
    assert "begin it with / for the root alone" in text


def test_all_faults_come_at_once_and_are_bounded() -> None:
    items = [item(f"Item {number}", model="none", write_scope=("../a",)) for number in range(300)]
    text = refused(*items)
    assert len(text) <= REFUSED_CHARACTERS
    assert "(900 faults)" in text
    assert " more" in text.splitlines()[-1]


def test_the_hash_is_of_all_that_is_carried_out() -> None:
    base = plan(item("a"))
    assert hash_of(canonical(base)) == hash_of(canonical(SwarmPlan.model_validate_json(canonical(base))))
    others = [plan(item("a", write_scope=("src/a.py",))), plan(item("a"), item("b")), plan(item("a"), goal="Other.")]
    assert 4 == len({hash_of(canonical(each)) for each in (base, *others)})
    assert 16 == len(hash_of(canonical(base)))


def test_a_title_is_one_short_line() -> None:
    assert "a b" == title_of(plan(item("a"), goal="a\n b"))
    assert 200 == len(title_of(plan(item("a"), goal="word " * 100)))


NAMES = tuple("abcdef")
EDGES = st.dictionaries(st.sampled_from(NAMES), st.frozensets(st.sampled_from(NAMES), max_size=3))


@settings(max_examples=200)
@given(EDGES)
def test_a_plan_is_in_order_exactly_when_it_has_no_cycle(edges: dict[str, frozenset[str]]) -> None:
    before = {name: edges.get(name, frozenset()) - {name} for name in NAMES}
    reached = dict(before)
    for _ in NAMES:
        reached = {name: others.union(*(reached[each] for each in others)) for name, others in reached.items()}
    has_cycle = any(name in others for name, others in reached.items())
    items = [item(name, depends_on=tuple(sorted(before[name]))) for name in NAMES]
    if has_cycle:
        assert "waits for itself" in refused(*items)
        return
    assert plan(*items)
    order = Order.of(before)
    for (i, one), (j, other) in itertools.combinations(enumerate(NAMES), 2):
        assert (one in reached[other] or other in reached[one]) == order.has(i, j)
    assert all(reached[name] == order.before(name) for name in NAMES)


def test_three_hundred_items_are_checked_within_a_second() -> None:
    files = tuple(f"src/package/module_{number:03}.py" for number in range(300))
    template = {
        "id": "annotate-{{number}}",
        "goal": "Annotate {{input}}.",
        "inputs": ("{{input}}",),
        "write_scope": ("{{input}}", "tests/unit/test_{{number}}_*.py"),
        "checks": ({"name": "types", "run": "mypy {{input}}"},),
        "over": files,
    }
    site = Site(files=frozenset(files) | {f"other/file_{number}.py" for number in range(10_000)})
    seconds: list[float] = []
    for _ in range(3):
        started = time.process_time()
        assert 300 == len(planned(arguments(templates=(template,)), site).items)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 1
