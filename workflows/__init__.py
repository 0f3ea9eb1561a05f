"""Order and waiting only: the life of a session, the loop of an agent, and the gate of a key with a cap."""

from workflows.agent import Agent
from workflows.gate import Gate
from workflows.session import Session

ALL = (Session, Agent, Gate)

__all__ = ["ALL", "Agent", "Gate", "Session"]
