"""Makes sure that the engine knows our search attributes; a workflow that sets an unknown one would hang."""

import contextlib
from collections.abc import Generator

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshift.contracts.errors import EngineError
from longshift.contracts.search import SEARCH_ATTRIBUTES

_TYPES = {
    "Text": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Double": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
}


async def missing_search_attributes(client: Client) -> dict[str, str]:
    """The attributes, with their types, that the namespace does not have.

    Raises:
        EngineError: the engine does not tell.
    """
    try:
        found = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        raise EngineError(f"the engine does not list its search attributes: {error.message}") from error
    return {name: kind for name, kind in SEARCH_ATTRIBUTES.items() if name not in found.custom_attributes}


@contextlib.contextmanager
def expected_search_attributes() -> Generator[None]:
    """Around queries by search attributes: an engine that does not know them refuses those.

    Raises:
        EngineError: it does not know them.
    """
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise EngineError(
            f"the engine cannot look for sessions ({error.message}); start a worker, which registers what it needs"
        ) from error


async def register_search_attributes(client: Client) -> None:
    """Add what is missing.

    Raises:
        EngineError: this connection may not add them; the message has the commands for somebody who may.
    """
    missing = await missing_search_attributes(client)
    if not missing:
        return
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace, search_attributes={name: _TYPES[kind] for name, kind in missing.items()}
            )
        )
    except RPCError as error:
        commands = "\n".join(
            f"  temporal operator search-attribute create --namespace {client.namespace} --name {name} --type {kind}"
            for name, kind in missing.items()
        )
        raise EngineError(
            f"the engine lacks search attributes and refuses to add them ({error.message}); "
            f"let an operator run\n{commands}"
        ) from error
