"""`docs/security.md` names a control and a proof for each risk, and each proof is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_risk_has_a_control_and_a_proof() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ASI")]
    assert [f"ASI{number:02}" for number in range(1, 11)] == [row[0][:5] for row in rows]
    assert all(len(row) == 4 and all(row) for row in rows)


def test_every_file_that_it_names_is_there() -> None:
    tests = re.findall(r"`(tests/[\w/.]+|requirements\.lock)`", PAGE)
    pages = re.findall(r"\]\((\w+\.md)\)", PAGE)
    named = [*(ROOT / name for name in tests), *(ROOT / "docs" / name for name in pages)]
    assert len(tests) >= 10
    assert [] == [str(path) for path in named if not path.exists()]
