"""Calls of `delegate`: written in other ways they are mended, and their commands are asked about like any other."""

import time
from typing import Any

import pytest

from longshift.adapters.calls import check_calls, delegate_arguments
from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.reviews import Autonomy, Risk
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.transcript import Block
from longshift.policy.plan_faults import Site
from longshift.policy.swarm_plan import canonical, planned

ITEM = {"id": "a", "goal": "Do it."}


def checked(input: dict[str, Any], autonomy: Autonomy = Autonomy.FULL) -> tuple[CallDigest, Block, str]:
    block = {"type": "tool_use", "id": "c0", "name": "delegate", "input": input}
    answer = check_calls((block,), {}, TOOL_ARGUMENTS, autonomy=autonomy)
    return answer.calls[0], answer.content[0], answer.rejections.get("0", "")


def test_a_whole_call_is_taken_as_it_is() -> None:
    input = {"goal": "All.", "items": [ITEM], "templates": [{"id": "t-{{number}}", "goal": "g", "over": ["x", "y"]}]}
    digest, block, rejection = checked(input)
    assert ("", input, False) == (rejection, block["input"], digest.repaired)
    assert ("delegate: 3 items, All.", ToolClass.EFFECT, "", False) == (
        digest.summary,
        digest.tool_class,
        digest.shown,
        digest.needs_approval,
    )


def test_items_written_in_other_words_are_mended() -> None:
    item = {"name": "a", "task": "Do it.", "scope": "src/**", "dependencies": None, "checks": ["make test"]}
    digest, block, _ = checked({"goal": "All.", "items": [item]})
    assert digest.repaired
    check = {"name": "make test", "run": "make test"}
    assert [{"id": "a", "goal": "Do it.", "write_scope": ["src/**"], "checks": [check]}] == block["input"]["items"]


def test_a_field_that_no_item_has_is_an_error_that_says_where() -> None:
    _, _, rejection = checked({"goal": "All.", "items": [{**ITEM, "owner": "x"}]})
    assert "items.0.owner: the tool has no such argument" in rejection


@pytest.mark.parametrize(
    ("autonomy", "command", "is_asked"),
    [
        (Autonomy.FULL, "rm -rf /", False),
        (Autonomy.BALANCED, "rm -rf / --no-preserve-root", True),
        (Autonomy.BALANCED, "pytest -q", False),
        (Autonomy.CAUTIOUS, "git push origin main", True),
        (Autonomy.MANUAL, "pytest -q", False),
    ],
)
def test_risky_checks_of_items_are_asked_about_as_commands_are(
    autonomy: Autonomy, command: str, *, is_asked: bool
) -> None:
    check = {"name": "proof", "run": command}
    digest, _, _ = checked({"goal": "All.", "items": [{**ITEM, "checks": [check]}]}, autonomy)
    assert is_asked == digest.needs_approval
    assert is_asked == (f"proof: {command}" in digest.shown)


def test_a_command_that_only_a_template_puts_together_is_judged() -> None:
    template = {"id": "t-{{number}}", "goal": "g", "checks": [{"name": "c", "run": "{{input}} /"}], "over": ["rm -rf"]}
    digest, _, _ = checked({"goal": "All.", "templates": [template]}, Autonomy.BALANCED)
    assert (True, Risk.HIGH) == (digest.needs_approval, digest.risk)


def test_a_call_of_three_hundred_items_is_checked_within_a_second() -> None:
    checks = [{"name": f"c{number}", "run": "mypy {{input}} && pytest tests/{{slug}}"} for number in range(3)]
    over = [f"src/module_{number}.py" for number in range(300)]
    template = {"id": "t-{{number}}", "goal": "g" * 500, "checks": checks, "over": over}
    started = time.process_time()
    digest, _, _ = checked({"goal": "All.", "templates": [template]}, Autonomy.BALANCED)
    assert time.process_time() - started < 1
    assert "delegate: 300 items, All." == digest.summary


def test_a_plan_as_it_is_kept_can_be_sent_back() -> None:
    template = {"id": "t-{{number}}", "goal": "Do {{input}}.", "over": ["x", "y"]}
    plan = planned(DelegateArguments.model_validate({"goal": "All.", "items": [ITEM], "templates": [template]}), Site())
    arguments, problem = delegate_arguments(canonical(plan).decode())
    assert arguments is not None, problem
    again = planned(arguments, Site())
    assert plan.items == again.items
    assert () == again.templates


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "not valid JSON"), ("{}", "goal: required, but missing"), ('{"goal": "g", "item": []}', "no such argument")],
)
def test_what_is_no_plan_is_said(text: str, problem: str) -> None:
    arguments, found = delegate_arguments(text)
    assert arguments is None
    assert problem in found


def test_the_kept_form_is_told_by_its_own_field() -> None:
    assert "struck" in SwarmPlan.model_fields
    assert "struck" not in DelegateArguments.model_fields
