"""The OpenAPI document against the service: schemathesis sends what it allows and what it does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.transport import SerializationContext
from schemathesis.transport.serialization import Binary

from fer.serve.openapi import document
from fer.serve.settings import ServeSettings
from tests.fakes.serving import serving

CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    *(response_schema_conformance, unsupported_method),
]


@schemathesis.serializer("image/*", "video/*")
def as_it_is(context: SerializationContext, value: Binary | str) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


schema = schemathesis.openapi.from_dict(document(ServeSettings()))


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving(ServeSettings(per_second=1e6, burst=10**6)) as (address, _):
        yield address.removesuffix("/api/v1")


@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_service_is_as_its_document_says(case: Case[Any], base: str) -> None:
    case.call_and_validate(base_url=base, checks=CHECKS)


def test_the_document_is_served(base: str) -> None:
    assert requests.get(f"{base}/api/v1/openapi.json", timeout=60).json() == document(ServeSettings())
