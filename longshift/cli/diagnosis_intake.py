"""What `doctor` looks at in intake: whether it runs, and how each way in stands."""

from longshift.cli.diagnosis import Finding, Level
from longshift.cli.invocation import Invocation
from longshift.intake.report import read_report
from longshift.intake.standing import CALM, State


def intake(run: Invocation) -> Finding:
    """The ways in of this data directory, as the process that runs them said last."""
    report = read_report(run.settings.data_dir)
    if report is None:
        return Finding("intake", Level.OK, "does not run here; `longshift up` and `longshift intake` start it")
    ways = [(str(way["name"]), str(way["state"]), str(way["detail"])) for way in report.ways]
    detail = ", ".join(f"{name}: {state}" for name, state, _ in ways)
    troubled = [f"{name}: {told or state}" for name, state, told in ways if State(state) not in CALM]
    if troubled:
        return Finding("intake", Level.WARN, detail, "; ".join(troubled))
    return Finding("intake", Level.OK, detail)
