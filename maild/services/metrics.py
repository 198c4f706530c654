"""Figures for Prometheus, over HTTP on loopback; nearly all are asked of the database when somebody asks for them.

One request at a time, each with a time limit: whoever dawdles or comes in crowds makes others wait for the figures,
and nobody for mail. The figures of the database are asked at most every KEPT_S, in a time that does not depend on how
much there ever was; labels are names of queues, statuses, departments, mailboxes, services and events, which are few.
`docs/monitoring.md` says what each means.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from http.server import HTTPServer
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import MetricsHandler
from prometheus_client.registry import Collector

from maild import __version__
from maild.config.kinds.hosts import Endpoint
from maild.rules import troubles
from maild.services.loop import ServiceState
from maild.store import standing
from maild.store.engine import Database

log = structlog.get_logger("maild.metrics")

KEPT_S: Final = 5.0  # seconds for which figures of the database are given again
PATIENCE_S: Final = 10.0  # with a client that dawdles
WAITING: Final = 5  # connections that wait for their turn


class Figures(Collector):
    """Gives the figures of a desk."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        services: Callable[[], Iterable[ServiceState]],
        facts: Callable[[], Mapping[tuple[str, str], int]],
    ) -> None:
        """Take what tells the services of this process, and how often each line was logged, by level and event."""
        self._database = database
        self._now = now
        self._services = services
        self._facts = facts
        self._kept: tuple[float, dict[str, Any]] | None = None

    def collect(self) -> Iterator[Metric]:
        """Give all figures; if the database is away those of the process, and that it is."""
        yield _one("maild_info", "The version that runs.", 1, {"version": __version__})
        yield from self._of_process()
        try:
            found = self._standing()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the database is a figure, too
            log.warning("the database cannot be asked", why=type(error).__name__)
            yield _one("maild_database_up", "Whether the database answers.", 0)
            return
        yield _one("maild_database_up", "Whether the database answers.", 1)
        yield from _of_queues(found)
        yield from _of_desk(found)
        yield from _of_mailboxes(found)
        yield from _of_machine(found)

    def _standing(self) -> dict[str, Any]:
        at_s = time.monotonic()
        if self._kept is None or at_s - self._kept[0] > KEPT_S:
            self._kept = (at_s, standing.standing(self._database, self._now(), counted=False))
        return self._kept[1]

    def _of_process(self) -> Iterator[Metric]:
        working = GaugeMetricFamily("maild_service_up", "Whether a service works.", labels=["service"])
        steps = CounterMetricFamily("maild_service_steps", "Steps of a service since the start.", labels=["service"])
        for each in self._services():
            working.add_metric([each.name], float(each.working))
            steps.add_metric([each.name], each.steps)
        lines = CounterMetricFamily("maild_log_lines", "Lines logged since the start.", labels=["level", "event"])
        for (level, event), count in sorted(self._facts().items()):
            lines.add_metric([level, event], count)
        yield from (working, steps, lines)


def _of_queues(found: Mapping[str, Any]) -> Iterator[Metric]:
    due = GaugeMetricFamily("maild_queue_due", "Rows that are due now.", labels=["queue"])
    scheduled = GaugeMetricFamily("maild_queue_scheduled", "Rows that are or will be due.", labels=["queue"])
    overdue = GaugeMetricFamily("maild_queue_overdue_seconds", "How long the oldest is due.", labels=["queue"])
    for name, queue in found["queues"].items():
        due.add_metric([name], queue["due"])
        scheduled.add_metric([name], queue["scheduled"])
        overdue.add_metric([name], _age_s(found, queue["oldest_due_at"]))
    yield from (due, scheduled, overdue)
    trouble = GaugeMetricFamily(
        "maild_trouble", "What is wrong: 0 nothing, 1 wants a look, 2 wants a person.", labels=["trouble"]
    )
    levels = dict.fromkeys(troubles.NAMES, 0)
    for each in troubles.found(found):
        kind = each.name.partition(" ")[0]
        levels[kind] = max(levels[kind], int(each.level))
    for name, level in levels.items():
        trouble.add_metric([name], level)
    yield trouble


def _of_desk(found: Mapping[str, Any]) -> Iterator[Metric]:
    tickets = GaugeMetricFamily("maild_tickets", "Tickets that are not closed.", labels=["department", "status"])
    oldest = GaugeMetricFamily(
        "maild_customer_waiting_seconds", "How long the customer waits who waits longest.", labels=["department"]
    )
    for name, each in found["departments"].items():
        for status in standing.LIVING:
            tickets.add_metric([name, str(status)], each[str(status)])
        oldest.add_metric([name], _age_s(found, each["oldest_since"]))
    yield from (tickets, oldest)
    yield _one("maild_customers_waiting", "Tickets in which a customer waits for us.", found["waiting"]["count"])
    mails = GaugeMetricFamily("maild_mails", "Mails that are on no ticket yet.", labels=["state"])
    for state in standing.UNSETTLED:
        mails.add_metric([str(state)], found["mails"][str(state)])
    yield mails
    yield _one("maild_deliveries_queued", "Deliveries that wait to leave.", found["deliveries"]["queued"])
    ages = GaugeMetricFamily("maild_deliveries_queued_by_age", "The same, by age.", labels=["age"])
    for age, count in found["ages"]["delivery"].items():
        ages.add_metric([age], count)
    yield ages
    yield _one("maild_relay_failing_seconds", "How long none leaves.", _age_s(found, found["relay"]["failing_since"]))
    yield _one(
        "maild_last_mail_in_timestamp_seconds", "When mail last came in.", _at_s(found["last"]["mail_stored_at"])
    )
    yield _one(
        "maild_last_mail_out_timestamp_seconds", "When mail last left.", _at_s(found["last"]["delivery_sent_at"])
    )


def _of_mailboxes(found: Mapping[str, Any]) -> Iterator[Metric]:
    working = GaugeMetricFamily("maild_mailbox_up", "Whether a mailbox can be read.", labels=["mailbox"])
    success = GaugeMetricFamily(
        "maild_mailbox_last_success_timestamp_seconds", "When it last could.", labels=["mailbox"]
    )
    for each in found["mailboxes"]:
        working.add_metric([each["name"]], float(each["failing_since"] is None))
        success.add_metric([each["name"]], _at_s(each["last_success_at"]))
    yield from (working, success)


def _of_machine(found: Mapping[str, Any]) -> Iterator[Metric]:
    disk = found["disk"]
    yield _one("maild_database_bytes", "How large the database is.", disk["database_bytes"])
    if disk["free_bytes"] is not None:
        yield _one("maild_disk_free_bytes", "What is left on the database's disk.", disk["free_bytes"])
    yield _one("maild_last_backup_timestamp_seconds", "When a backup was last made.", _at_s(found["backup"]["at"]))


def _one(name: str, about: str, value: float, labels: Mapping[str, str] | None = None) -> Metric:
    family = GaugeMetricFamily(name, about, labels=list(labels or ()))
    family.add_metric(list((labels or {}).values()), value)
    return family


def _age_s(found: Mapping[str, Any], since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (found["at"] - since).total_seconds())


def _at_s(instant: datetime | None) -> float:
    return 0.0 if instant is None else instant.timestamp()


class Metrics:
    """Answers at /metrics until it is stopped."""

    def __init__(self, figures: Figures, listen: Endpoint) -> None:
        """Take the address at once.

        Raises:
            OSError: it cannot be had.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(figures)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._server = _Server(listen, MetricsHandler.factory(registry))
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        log.info("figures are shown", port=self.port)

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(HTTPServer):
    """One request at a time."""

    request_queue_size = WAITING

    def __init__(self, listen: Endpoint, handler: type[MetricsHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        handler.timeout = PATIENCE_S  # of the connection: whoever sends nothing is left
        super().__init__((listen.host, listen.port), handler)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Say nothing of clients that go away."""
