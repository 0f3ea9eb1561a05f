"""Order and waiting only: sessions, agents, gates of keys with a cap, fires of a schedule, bulletins for people."""

from workflows.agent import Agent
from workflows.bulletin import Bulletin
from workflows.firing import Firing
from workflows.gate import Gate
from workflows.session import Session

ALL = (Session, Agent, Gate, Firing, Bulletin)

__all__ = ["ALL", "Agent", "Bulletin", "Firing", "Gate", "Session"]
