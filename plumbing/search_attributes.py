"""The search attributes of a namespace: each course sets them, and where one is not there its workflow tasks fail."""

import re
from collections.abc import Mapping
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from plumbing.logging import get_logger

log = get_logger()

_NOT_TOLD: Final = frozenset({RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED})
"""How a server answers that does not tell a worker which attributes there are."""


class SearchAttributesMissing(Exception):
    """The namespace lacks search attributes that a course sets; the message names them, and how they are added."""

    def __init__(self, namespace: str, missing: Mapping[str, str]) -> None:
        options = " ".join(f"--name {name} --type {kind}" for name, kind in missing.items())
        super().__init__(
            f"the namespace {namespace} does not have the search attributes {', '.join(missing)} as this release sets them:"
            f" no course could go on. Add them: temporal operator search-attribute create --namespace {namespace} {options}"
        )


def type_of(kind: str) -> IndexedValueType.ValueType:
    """`KeywordList`, as the command line writes it, to the value on the wire. Raises ValueError for no such type."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).upper()
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{words}")


async def must_be_there(client: Client, attributes: Mapping[str, str]) -> None:
    """Raises `SearchAttributesMissing` where one is not there, or of another type. A server that does not tell is believed."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        there = (await client.operator_service.list_search_attributes(request)).custom_attributes
    except RPCError as error:
        if error.status not in _NOT_TOLD:
            raise
        log.warning("search_attributes_unknown", reason_code=error.status.name)
        return
    missing = {name: kind for name, kind in attributes.items() if there.get(name) != type_of(kind)}
    if missing:
        raise SearchAttributesMissing(client.namespace, missing)
