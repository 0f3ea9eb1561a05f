"""The append-only store: objects by key, and transcripts made of them."""

from longshift.adapters.store.lineage import Lineage, PlacedEpoch
from longshift.adapters.store.objects import Store, open_store
from longshift.adapters.store.records import read_plan, read_task
from longshift.adapters.store.transcripts import PlacedStep, Transcripts
from longshift.adapters.store.view import View

__all__ = [
    "Lineage",
    "PlacedEpoch",
    "PlacedStep",
    "Store",
    "Transcripts",
    "View",
    "open_store",
    "read_plan",
    "read_task",
]
