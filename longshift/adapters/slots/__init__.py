"""The slots of one host: how many sessions it holds, and which. Nothing here knows the engine."""

from longshift.adapters.slots.pool import Holding, SlotPool

__all__ = ["Holding", "SlotPool"]
