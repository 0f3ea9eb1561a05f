"""What a sub-agent is told at its start about being one of many: its files, its write scope, whom it reports to.

Its goal and its place in the whole are its task (`policy.item_task`).
"""

from longshift.contracts.sub_agent import SubAgent

SHOWN_GLOBS = 100
NO_CHECKS = (
    "This item declares no checks. When you call finish, the runner sees that you have kept to your write scope; what "
    "you did is proved with all other work, when it is merged. Verify it yourself before."
)


def rules(sub_agent: SubAgent, *, has_checks: bool) -> str:
    """An element of the opening message; the same bytes for every attempt."""
    lines = [
        "You are one of several sub-agents that work on items of one plan at the same time, each in a worktree of its "
        "own: nobody else sees your files until your work is merged, and you see nobody else's.",
        *_scope(sub_agent),
        "- Build output, caches and the home folder are copies of your own; the setup has run already.",
        "- Nobody can be asked, and nobody approves anything: where a decision is not yours, or something that you "
        "need is missing or forbidden, do what can be done without it and report the rest as an open question.",
        "- Do not commit, push or merge: the runner takes the files as you leave them when finish is accepted.",
        "- If the goal cannot be reached, put back what does not help, and say in finish why, and what would.",
        f"- Report by finish, to whoever gave you the work: in summary what you changed and how {_proof(has_checks)}, "
        "and what others have to know; in measurements the numbers that you measured; in open_questions what is left "
        "to decide. It is all that is read of your work besides the files, so be exact and short.",
    ]
    return "<sub-agent>\n" + "\n".join(lines) + "\n</sub-agent>"


def _scope(sub_agent: SubAgent) -> list[str]:
    if sub_agent.write_scope is None:
        return []
    if not sub_agent.write_scope:
        return ["- Your write scope is empty: change no file at all; your report is the result."]
    shown = "\n".join(f"  - `{glob}`" for glob in sub_agent.write_scope[:SHOWN_GLOBS])
    more = len(sub_agent.write_scope) - SHOWN_GLOBS
    rest = f"\n  - and {more} more" if more > 0 else ""
    return [
        "- Your write scope, as globs from the workspace root in the syntax of gitignore; a change of any other file "
        f"that git does not ignore makes finish fail, and is never merged:\n{shown}{rest}"
    ]


def _proof(has_checks: bool) -> str:
    return "it was verified, beyond the checks" if has_checks else "it was verified"
