"""Order and waiting only: sessions, agents, gates of keys, the fleet, fires of a schedule, bulletins for people."""

from workflows.agent import Agent
from workflows.bulletin import Bulletin
from workflows.firing import Firing
from workflows.fleet import Fleet
from workflows.gate import Gate
from workflows.item import Item
from workflows.session import Session
from workflows.swarm import Swarm

ALL = (Session, Agent, Gate, Fleet, Firing, Bulletin, Swarm, Item)

__all__ = ["ALL", "Agent", "Bulletin", "Firing", "Fleet", "Gate", "Item", "Session", "Swarm"]
