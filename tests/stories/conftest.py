"""A desk for each story, on either database."""

import pytest

from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import Desk, Received, opened


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    """A desk with two agents, nobody's mail yet, at noon of a Monday."""
    return Desk(database, clock)


@pytest.fixture
def told(desk: Desk) -> Received:
    """Anna's notification of ticket 1, which Ada opened; everybody has read his mail."""
    return opened(desk)
