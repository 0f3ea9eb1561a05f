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

What is counted
    Four bytes of a prompt's JSON are one token, in the usage of answers and in counts alike; cache markers do not
    count. Two endpoints count without playing anything: `POST …/v1/messages/count_tokens` takes a request's prompt
    and answers `{"input_tokens": N}`, the very number that the request's usage adds up to;
    `POST …/v1/tokenizers/estimate-token-count` takes chat messages of the OpenAI shape and answers
    `{"data": {"total_tokens": N}}`, which is near it, as the same prompt is other JSON there.

    Counts are recorded apart (`counts`, `GET /control/counts`) and fail only by order (`order_count_faults`, or
    `"counting": true` in `POST /control/faults`), so that they move neither the script nor the chaos.
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
