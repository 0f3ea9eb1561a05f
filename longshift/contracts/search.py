"""The search attributes that the Web UI lists and filters sessions by. They are never encrypted."""

STATE = "LongshiftState"
ATTENTION = "LongshiftAttention"
REPOSITORY = "LongshiftRepository"
TENANT = "LongshiftTenant"
MODEL = "LongshiftModel"
STEP = "LongshiftStep"
TOKENS = "LongshiftTokens"
COST_USD = "LongshiftCostUsd"
CONTEXT_FILL = "LongshiftContextFill"
PRIORITY = "LongshiftPriority"
FAIRNESS_KEY = "LongshiftFairnessKey"
HOST = "LongshiftHost"
STUCK = "LongshiftStuck"
"""How far a stuck agent's ladder was climbed: `nudge`, `replan`, `rollback`, `escalate`; else not set."""
WAITS_FOR = "LongshiftWaitsFor"
"""`cap` while other sessions of its key fill the cap, `time` before the task's own; not set in the queue proper."""
SWARM = "LongshiftSwarm"
"""How far the session's latest swarm has come, such as `12/300 merged, 64 at work`; not set without one."""

SEARCH_ATTRIBUTES: dict[str, str] = {
    STATE: "Keyword",
    ATTENTION: "Keyword",
    REPOSITORY: "Keyword",
    TENANT: "Keyword",
    MODEL: "Keyword",
    STEP: "Int",
    TOKENS: "Int",
    COST_USD: "Double",
    CONTEXT_FILL: "Double",
    PRIORITY: "Int",
    FAIRNESS_KEY: "Keyword",
    HOST: "Keyword",
    WAITS_FOR: "Keyword",
    STUCK: "Keyword",
    SWARM: "Text",
}
"""Name → type, as the engine has to register them."""
