"""Order and waiting only: sessions, agents, gates of keys, the fleet, fires of a schedule, bulletins for people."""

from workflows.agent import Agent
from workflows.bulletin import Bulletin
from workflows.firing import Firing
from workflows.fleet import Fleet
from workflows.gate import Gate
from workflows.session import Session

ALL = (Session, Agent, Gate, Fleet, Firing, Bulletin)

__all__ = ["ALL", "Agent", "Bulletin", "Firing", "Fleet", "Gate", "Session"]
