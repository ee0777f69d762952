"""What the lessons' tests share: the servers, and a name under which they count."""

import asyncio

import pytest

from asynclab.services import Services


@pytest.fixture(scope="module")
def web():
    """The servers, in one child process for all tests of a file."""
    services = Services()
    asyncio.run(services.start())
    yield services
    asyncio.run(services.stop())


@pytest.fixture
def me(request):
    """The name under which the server counts what this test does."""
    return request.node.name
