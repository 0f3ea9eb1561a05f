"""The append-only store: objects by key, and transcripts made of them."""

from longshift.adapters.store.objects import Store, open_store
from longshift.adapters.store.transcripts import Transcripts, View

__all__ = ["Store", "Transcripts", "View", "open_store"]
