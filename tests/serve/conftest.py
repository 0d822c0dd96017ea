"""One service for a module's tests."""

from collections.abc import Iterator

import pytest

from fer.serve.service import Service
from tests.fakes.serving import serving


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Service]]:
    with serving() as (address, service):
        service.recognizer("yunet")
        yield address, service


@pytest.fixture
def address(served: tuple[str, Service]) -> str:
    return served[0]
