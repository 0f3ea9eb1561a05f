"""Order and waiting only: the life of a session, the loop of an agent, the fires of a schedule."""

from workflows.agent import Agent
from workflows.firing import Firing
from workflows.session import Session

ALL = (Session, Agent, Firing)

__all__ = ["ALL", "Agent", "Firing", "Session"]
