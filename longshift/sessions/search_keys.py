"""The search attributes as keys of the SDK, for reading."""

from temporalio.common import SearchAttributeKey

from longshift.contracts import search

STATE = SearchAttributeKey.for_keyword(search.STATE)
ATTENTION = SearchAttributeKey.for_keyword(search.ATTENTION)
REPOSITORY = SearchAttributeKey.for_keyword(search.REPOSITORY)
TENANT = SearchAttributeKey.for_keyword(search.TENANT)
MODEL = SearchAttributeKey.for_keyword(search.MODEL)
STEP = SearchAttributeKey.for_int(search.STEP)
TOKENS = SearchAttributeKey.for_int(search.TOKENS)
COST_USD = SearchAttributeKey.for_float(search.COST_USD)
PRIORITY = SearchAttributeKey.for_int(search.PRIORITY)
FAIRNESS_KEY = SearchAttributeKey.for_keyword(search.FAIRNESS_KEY)
HOST = SearchAttributeKey.for_keyword(search.HOST)
SWARM = SearchAttributeKey.for_text(search.SWARM)
CONTEXT_FILL = SearchAttributeKey.for_float(search.CONTEXT_FILL)
