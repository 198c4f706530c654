"""What tests on the wire may ask for besides."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import Desk
from tests.wire.outgoing import Queue
from tests.wire.sink import Sink, sink
from tests.wire.ward import Ward


@pytest.fixture
def ward(tmp_path: Path, sqlite_database: Database, clock: FakeClock) -> Ward:
    """A ward whose patients have an empty database."""
    return Ward(tmp_path, sqlite_database, clock)


@pytest.fixture
def desk(sqlite_database: Database, clock: FakeClock) -> Desk:
    """A desk on the ward's database, at which mails come and go."""
    return Desk(sqlite_database, clock)


@pytest.fixture
def smarthost() -> Iterator[Sink]:
    """A server that takes all mails and keeps them."""
    with sink() as running:
        yield running


@pytest.fixture
def queue(database: Database, clock: FakeClock, smarthost: Sink) -> Iterator[Queue]:
    """Deliveries that are sent to the smarthost."""
    made = Queue(database, clock, smarthost.port)
    yield made
    made.sender.close()
