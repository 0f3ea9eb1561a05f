"""Order and waiting only: sessions, the loop of an agent, gates of keys with a cap, the fleet, fires of a schedule."""

from workflows.agent import Agent
from workflows.firing import Firing
from workflows.fleet import Fleet
from workflows.gate import Gate
from workflows.session import Session

ALL = (Session, Agent, Gate, Fleet, Firing)

__all__ = ["ALL", "Agent", "Firing", "Fleet", "Gate", "Session"]
