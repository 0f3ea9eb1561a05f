"""Order and waiting only: the life of a session, and the loop of an agent."""

from workflows.agent import Agent
from workflows.session import Session

ALL = (Session, Agent)

__all__ = ["ALL", "Agent", "Session"]
