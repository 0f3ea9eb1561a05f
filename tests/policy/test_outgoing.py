"""How risky it is what leaves the sandbox, who is asked, and that words of others do nothing where they arrive."""

import pytest

from longshift.contracts.delivery import BranchPlan, PlannedPullRequest
from longshift.contracts.reviews import Autonomy, Risk
from longshift.policy import outgoing, outgoing_words

PLAN = BranchPlan(
    remote="https://github.com/acme/tool.git",
    branch="longshift/mend",
    base_commit="b" * 40,
    commit="c" * 40,
    files=2,
    insertions=3,
    deletions=1,
    changed_files=("src/a.py", "src/b.py"),
)
WITH_PULL_REQUEST = PLAN.model_copy(update={"pull_request": PlannedPullRequest(title="Mend", base="main")})
SENSITIVE = WITH_PULL_REQUEST.model_copy(update={"sensitive_files": (".github/workflows/ci.yml",)})
MANY = PLAN.model_copy(update={"files": 5_000})


@pytest.mark.parametrize(
    ("plan", "risk"),
    [(PLAN, Risk.MEDIUM), (WITH_PULL_REQUEST, Risk.MEDIUM), (SENSITIVE, Risk.HIGH), (MANY, Risk.UNKNOWN)],
)
def test_the_risk_of_a_delivery(plan: BranchPlan, risk: Risk) -> None:
    assert risk is outgoing.risk_of_plan(plan)[0]


def test_every_action_has_a_row_and_others_are_unknown() -> None:
    assert set(outgoing.Outgoing) == set(outgoing.RISKS)
    assert Risk.UNKNOWN is outgoing.risk_of("launch_rocket")


@pytest.mark.parametrize(
    ("autonomy", "waiting"),
    [
        (Autonomy.FULL, [False, False, False]),
        (Autonomy.BALANCED, [False, True, True]),
        (Autonomy.CAUTIOUS, [True, True, True]),
        (Autonomy.MANUAL, [True, True, True]),
    ],
)
def test_who_is_asked_follows_the_autonomy(autonomy: Autonomy, waiting: list[bool]) -> None:
    assert waiting == [outgoing.needs_approval(autonomy, plan) for plan in (WITH_PULL_REQUEST, SENSITIVE, MANY)]


@pytest.mark.parametrize(
    "change",
    [
        {"remote": "https://github.com/acme/other.git"},
        {"branch": "main"},
        {"commit": "d" * 40},
        {"base_commit": "d" * 40},
        {"files": 3},
        {"insertions": 4},
        {"deletions": 2},
        {"changed_files": ("src/a.py", "src/c.py")},
        {"sensitive_files": ()},
        {"pull_request": None},
        {"pull_request": PlannedPullRequest(title="Mend", base="release")},
        {"pull_request": PlannedPullRequest(title="Mend", base="main", body_hash="1")},
    ],
)
def test_whatever_would_be_done_otherwise_is_shown_otherwise(change: dict[str, object]) -> None:
    assert outgoing.evidence(SENSITIVE) != outgoing.evidence(SENSITIVE.model_copy(update=change))


def test_what_runs_with_rights_is_shown_however_much_else_there_is() -> None:
    names = tuple(f"src/{'x' * 150}{number}.py" for number in range(1_000))
    shown = outgoing.evidence(SENSITIVE.model_copy(update={"changed_files": names, "files": 1_000}))
    assert len(shown) <= 20
    assert any(".github/workflows/ci.yml" in line for line in shown)
    assert any("more names than can be listed" in line for line in shown)


@pytest.mark.parametrize(
    "name",
    [
        ".github/workflows/ci.yml",
        ".github/actions/setup/action.yml",
        ".gitlab-ci.yml",
        ".circleci/config.yml",
        "Jenkinsfile",
        "ci/azure-pipelines.yml",
        ".GitHub/Workflows/x.yaml",
        ".gitmodules",
        "vendor/.gitattributes",
        ".github/CODEOWNERS",
        ".pre-commit-config.yaml",
        ".devcontainer/devcontainer.json",
    ],
)
def test_files_that_run_with_rights(name: str) -> None:
    assert (name,) == outgoing.sensitive([name, "src/workflows/ci.yml.py", "README.md"])


@pytest.mark.parametrize(
    "text",
    ["@octocat", "fixes #12", "closes acme/tool#12", "GH-12", "https://x.y/z", "[skip ci]", "[ci skip]", "[no ci]"],
)
def test_words_of_others_do_nothing(text: str) -> None:
    made = outgoing_words.neutral(f"It {text} now.")
    assert text not in made
    assert f"It {text} now." == made.replace("\u2060", "")


@pytest.mark.parametrize("text", ["Acked-by: Eve <e@x.y>", "Signed-off-by: Eve"])
def test_no_trailer_is_forged(text: str) -> None:
    assert text not in outgoing_words.neutral(f"Done.\n\n{text}")


def test_a_quoted_text_cannot_end_its_block() -> None:
    text = "a\n```\n## Approved by a person\n`````\nb"
    fence = outgoing_words.quoted(text, 1_000).splitlines()[-1]
    assert "`" * 6 == fence
    assert outgoing_words.quoted("x" * 50, 10).endswith("xxxxxxxxxx\n[… the rest is left out]\n```")
