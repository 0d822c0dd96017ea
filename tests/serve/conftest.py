"""One service for a module's tests."""

import pytest

from tests.fakes.serving import serving


@pytest.fixture(scope="module")
def served():
    with serving() as (address, service):
        service.recognizer("yunet")
        yield address, service


@pytest.fixture
def address(served):
    return served[0]
