"""The tasks of a swarm say what they are to do, where they may write, and nothing that asks a person."""

from longshift.contracts import ids
from longshift.contracts.completion import ProposedCheck, Verifier
from longshift.contracts.reviews import Autonomy
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace
from longshift.policy import prompt, sub_agents
from longshift.policy.item_task import integration_task, item_task, resolver_task, seed_task

SESSION = TaskSpec.model_validate(
    {
        "id": "mend",
        "title": "Mend",
        "instructions": "All of it.",
        "workspace": {"git": "/src", "ref": "main"},
        "setup": ("make",),
        "checks": ({"name": "tests", "run": "pytest"},),
        "protected": ("tests/**",),
        "constraints": ("Be kind.",),
        "autonomy": Autonomy.CAUTIOUS,
        "verifier": Verifier(),
        "deliver": {"branch": "x"},
        "tenant": "acme",
        "network": "pypi",
    }
)
PLAN = SwarmPlan(
    goal="Annotate all modules\nwith types",
    items=(
        SwarmItem(id="one", goal="Annotate a.py\nwhole", write_scope=("a.py",), inputs=("README.md",)),
        SwarmItem(id="two", goal="Annotate b.py", write_scope=("b.py",), depends_on=("one",), model="small"),
        SwarmItem(id="three", goal="Look", checks=(ProposedCheck(name="tests", run="mypy b.py"),)),
    ),
    checks=(ProposedCheck(name="tests", run="mypy ."), ProposedCheck(name="again", run="pytest")),
)
LEAD = SubAgent(
    session="mend",
    swarm="mend.swarm1",
    item="",
    base_step=7,
    base_agent="mend/lead",
    base_tree="abc",
    root="/data/workspaces/mend/tree",
    home="/data/workspaces/mend/home",
)
WORKSPACE = Workspace(workspace_id="w", host_id="h", host_queue="q", root=LEAD.root)


def test_an_item_is_a_task_of_its_own() -> None:
    task = item_task(SESSION, PLAN, PLAN.items[1], LEAD)
    assert task == TaskSpec.model_validate_json(task.model_dump_json())
    assert ("mend.swarm1.two", "two: Annotate b.py", "small") == (task.id, task.title, task.model)
    assert ids.is_sub_task_id(task.id)
    assert task.sub_agent == LEAD.model_copy(update={"item": "two", "write_scope": ("b.py",)})
    assert (SESSION.protected, SESSION.constraints, SESSION.setup, SESSION.network, SESSION.tenant) == (
        task.protected,
        task.constraints,
        task.setup,
        task.network,
        task.tenant,
    )
    assert (None, None, None, ()) == (task.verifier, task.deliver, task.start_from, task.checks)
    assert "All of it." not in task.instructions


def test_an_item_is_told_where_it_stands_in_the_whole() -> None:
    first, second = (item_task(SESSION, PLAN, item, LEAD).instructions for item in PLAN.items[:2])
    assert first.startswith("Annotate a.py\nwhole\n\nRead first:\n- README.md\n\n")
    assert "one of 3 that together are to reach: Annotate all modules" in first
    assert "wait for it, and start from what you leave:\n- `two`: Annotate b.py" in first
    assert "in your files already:\n- `one`: Annotate a.py" in second


def test_the_prompt_of_an_item_names_its_scope_and_nobody_to_ask() -> None:
    task = item_task(SESSION, PLAN, PLAN.items[1], LEAD)
    text = "\n".join(str(block["text"]) for block in prompt.opening_messages(task, WORKSPACE, "")[0]["content"])
    for said in ("<sub-agent>", "  - `b.py`", "Nobody can be asked", "open_questions", "measurements", LEAD.root):
        assert said in text
    assert "a person approves" not in text


def test_an_item_without_a_scope_is_told_to_change_nothing() -> None:
    task = item_task(SESSION, PLAN, PLAN.items[2], LEAD)
    two = item_task(SESSION, PLAN, PLAN.items[1], LEAD)
    assert sub_agents.NO_CHECKS in str(prompt.opening_messages(two, WORKSPACE, "")[0]["content"])
    assert "change no file at all" in str(prompt.opening_messages(task, WORKSPACE, "")[0]["content"])
    assert ("tests", "mypy b.py") == (task.checks[0].name, task.checks[0].run)


def test_the_prompt_of_any_other_task_stays_as_it_was() -> None:
    text = str(prompt.opening_messages(SESSION, WORKSPACE, ""))
    assert "sub-agent" not in text
    assert "a person approves your plan" in text


def test_the_integration_is_proved_by_the_task_and_the_plan() -> None:
    task = integration_task(SESSION, PLAN, LEAD)
    assert ids.integration_id("mend.swarm1") == task.id
    assert [("tests", "pytest"), ("tests 2", "mypy .")] == [(check.name, check.run) for check in task.checks]
    assert task.sub_agent is not None
    assert task.sub_agent.write_scope is None
    assert task == TaskSpec.model_validate_json(task.model_dump_json())


def test_a_seed_has_the_setup_and_nothing_to_prove() -> None:
    task = seed_task(SESSION, LEAD)
    assert (ids.seed_id("mend.swarm1"), SESSION.setup, ()) == (task.id, task.setup, task.checks)


def test_a_resolver_may_write_what_both_sides_may() -> None:
    mine = LEAD.model_copy(update={"item": ids.resolver_item("two", 1), "integration": 3, "conflict": "key"})
    checks = integration_task(SESSION, PLAN, LEAD).checks
    task = resolver_task(
        SESSION, mine, title="two: mend", instructions="Mend.", checks=(*checks, *checks), write_scope=["a.py", "b.py"]
    )
    assert ("mend.swarm1.two.fix1", checks) == (task.id, task.checks)
    assert task.sub_agent is not None
    assert (("a.py", "b.py"), 3, "key") == (
        task.sub_agent.write_scope,
        task.sub_agent.integration,
        task.sub_agent.conflict,
    )
