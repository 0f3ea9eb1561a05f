"""Search attributes from workflows. Each upsert is one event, so they change with a state, not with a step."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from longshift.contracts import search
from longshift.contracts.attention import Attention
from longshift.contracts.fleet import FleetNotice
from longshift.contracts.session import AgentStatus, SessionInput, SessionState
from longshift.contracts.stuck import Rung
from longshift.policy import swarm_words

_STATE = SearchAttributeKey.for_keyword(search.STATE)
_ATTENTION = SearchAttributeKey.for_keyword(search.ATTENTION)
_REPOSITORY = SearchAttributeKey.for_keyword(search.REPOSITORY)
_TENANT = SearchAttributeKey.for_keyword(search.TENANT)
_MODEL = SearchAttributeKey.for_keyword(search.MODEL)
_STEP = SearchAttributeKey.for_int(search.STEP)
_TOKENS = SearchAttributeKey.for_int(search.TOKENS)
_COST_USD = SearchAttributeKey.for_float(search.COST_USD)
_CONTEXT_FILL = SearchAttributeKey.for_float(search.CONTEXT_FILL)
_PRIORITY = SearchAttributeKey.for_int(search.PRIORITY)
_HOST = SearchAttributeKey.for_keyword(search.HOST)
_WAITS_FOR = SearchAttributeKey.for_keyword(search.WAITS_FOR)
_STUCK = SearchAttributeKey.for_keyword(search.STUCK)
_SWARM = SearchAttributeKey.for_text(search.SWARM)
_FAIRNESS_KEY = SearchAttributeKey.for_keyword(search.FAIRNESS_KEY)

KEYWORD_LIMIT_CHARACTERS = 200
RUNGS = "longshift_ladder_rungs"
FLEET_ALERTS = "longshift_fleet_alerts"
"""Both of the SDK's meter, which counts nothing twice on a replay."""


def of_session(request: SessionInput) -> TypedSearchAttributes:
    """What a session is listed under from its start."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(_STATE, SessionState.QUEUED.value),
            SearchAttributePair(_PRIORITY, request.place.priority),
            SearchAttributePair(_FAIRNESS_KEY, request.place.fairness_key),
            *_common(request),
        ]
    )


def of_agent(request: SessionInput) -> TypedSearchAttributes:
    """What an agent is listed under."""
    return TypedSearchAttributes(_common(request))


def of_child() -> TypedSearchAttributes:
    """What a workflow of the tree is listed under: as the one that starts it."""
    here = workflow.info().typed_search_attributes
    keys = (_REPOSITORY, _TENANT, _MODEL)
    return TypedSearchAttributes([SearchAttributePair(key, here[key]) for key in keys if key in here])


def _common(request: SessionInput) -> list[SearchAttributePair[str]]:
    return [
        SearchAttributePair(_REPOSITORY, request.task.repository[-KEYWORD_LIMIT_CHARACTERS:]),
        SearchAttributePair(_TENANT, request.task.tenant),
        SearchAttributePair(_MODEL, request.profile),
    ]


def upsert_state(state: SessionState, attention: Attention | None) -> None:
    """The session took a state."""
    kind = attention.kind if attention else None
    workflow.upsert_search_attributes(  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial
        [
            _STATE.value_set(state.value),
            _ATTENTION.value_set(kind) if kind else _ATTENTION.value_unset(),
        ]
    )


def upsert_priority(priority: int) -> None:
    """The session was moved within the queue."""
    workflow.upsert_search_attributes([_PRIORITY.value_set(priority)])  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial


def upsert_rung(rung: Rung) -> None:
    """An agent's ladder was climbed, or left again."""
    value = _STUCK.value_unset() if rung is Rung.NONE else _STUCK.value_set(rung.value)
    workflow.upsert_search_attributes([value])  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial
    if rung is not Rung.NONE:
        counter = workflow.metric_meter().create_counter(RUNGS, "Rungs of the ladder that stuck agents were taken up")
        counter.add(1, {"rung": rung.value})


def count_fleet_alert(notice: FleetNotice) -> None:
    """A limit of the fleet has come near, or is reached."""
    counter = workflow.metric_meter().create_counter(FLEET_ALERTS, "Alerts of the fleet's limits")
    counter.add(1, {"limit": notice.limit, "percent": str(notice.percent)})


def upsert_host(host_id: str) -> None:
    """A host holds the session, or with an empty name none does any more."""
    value = _HOST.value_set(host_id) if host_id else _HOST.value_unset()
    workflow.upsert_search_attributes([value])  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial


def upsert_waits_for(what: str) -> None:
    """What keeps a queued session out of the queue proper; empty: nothing does."""
    value = _WAITS_FOR.value_set(what) if what else _WAITS_FOR.value_unset()
    workflow.upsert_search_attributes([value])  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial


def upsert_progress(status: AgentStatus) -> None:
    """An agent told where it stands."""
    workflow.upsert_search_attributes(  # pyright: ignore[reportUnknownMemberType]  # the SDK's own type is partial
        [
            _STEP.value_set(status.step),
            _TOKENS.value_set(status.tokens),
            _COST_USD.value_set(status.cost_usd),
            _CONTEXT_FILL.value_set(status.context_fill),
            *([_SWARM.value_set(swarm_words.counted(status.swarm))] if status.swarm is not None else []),
        ]
    )
