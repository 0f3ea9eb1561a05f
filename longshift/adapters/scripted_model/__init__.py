"""A real HTTP server that speaks the Messages API and plays a script: for tests, benches and the demo.

`ScriptedModel` checks requests as strictly as the strictest provider, streams its answers, fails on demand or by seeded
chaos, and records what it was asked. It is no model: nothing here looks at what a conversation means.

Which turn is played
    The turn to play is computed from the request alone, so a retry, or a restarted server, gets the same answer.
    Without a hand-off note it is the number of assistant messages in the conversation.

    A request whose last user message ends with a text block that contains `<handoff-request>` is answered with a
    note, no calls. The note contains `<scripted-turn>K</scripted-turn>`, where K is the number of turns played so far;
    the note itself is no turn. When text blocks of a conversation contain such a tag, the turn to play is K of the
    *last* tag plus the number of assistant messages after the message that holds it. So rounds that are kept verbatim
    over a compaction must stand *before* the message with the note: they are then not counted twice. Tags in tool
    results and in the arguments of calls do not count.

    An answer that the client does not keep (an empty one, or one that was cut) is therefore played again.
"""

from longshift.adapters.scripted_model.chaos import Chaos
from longshift.adapters.scripted_model.conversation import HANDOFF_MARKER, RequestView, ToolOutput
from longshift.adapters.scripted_model.recording import RequestRecord
from longshift.adapters.scripted_model.script import (
    Fault,
    FaultKind,
    Policy,
    Repeat,
    Script,
    ScriptedCall,
    Turn,
    load_policy,
)
from longshift.adapters.scripted_model.server import ScriptedModel

__all__ = [
    "HANDOFF_MARKER",
    "Chaos",
    "Fault",
    "FaultKind",
    "Policy",
    "Repeat",
    "RequestRecord",
    "RequestView",
    "Script",
    "ScriptedCall",
    "ScriptedModel",
    "ToolOutput",
    "Turn",
    "load_policy",
]
