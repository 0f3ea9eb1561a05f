"""Order and waiting only: sessions, the loop of an agent, gates of keys with a cap, fires of a schedule."""

from workflows.agent import Agent
from workflows.firing import Firing
from workflows.gate import Gate
from workflows.session import Session

ALL = (Session, Agent, Gate, Firing)

__all__ = ["ALL", "Agent", "Firing", "Gate", "Session"]
