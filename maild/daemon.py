"""The daemon: configuration -> database -> services; threads, signals, systemd.

    main thread        signals, watchdog, systemd's notifications
    smtp-listener      asyncio: connections; one writer thread for the group commit
    imap-NAME          a folder of a mailbox -> stored mails
    filer              stored mails -> tickets            bell: a mail was stored
    indexer            what is filed -> words to find it by     bell: a mail was filed
    scheduler          time -> tickets                    bell: a ticket may have become due earlier
    keeper             what keeps the database in order, a little at a time
    sender-N           deliveries -> smarthost            bell: a mail was posted
    neighbours         rings all three when another process has written: commands ring no bell

`works` joins the parts without threads. Start-up is recovery: there is nothing
to repair after a kill, only leases to wait for. SIGTERM: the listener takes nothing new, what is inside DATA is
finished, every thread ends after its present step. SIGHUP: a valid configuration is taken, a broken one is refused
and told, and the old one goes on.
"""

import gc
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from sqlalchemy import update

from maild import clock, config, systemd
from maild.config import ConfigError, Settings
from maild.inbox import GroupCommit
from maild.services import mornings, scheduler
from maild.services.imap_poller import Poller
from maild.services.loop import Bell, Loop
from maild.services.metrics import Figures, Metrics, ServiceState
from maild.services.sender import sending
from maild.services.smtp_listener import Limits, Logins, SmtpListener, tls_context
from maild.store import schedule, schema
from maild.store.engine import AlreadyRunning, Database
from maild.store.models import DeliveryRow, MailRow, TicketRow
from maild.store.neighbours import Neighbours
from maild.works import Clock, Works, accepts, agent_login, assemble

log = structlog.get_logger("maild.daemon")

Facts = Callable[[], Mapping[tuple[str, str], int]]

SENDERS: Final = 3  # threads; each keeps a connection to the smarthost
GRACE_S: Final = 8.0  # for clients inside DATA, and for the present step of each thread
HANG_S: Final = 300.0  # a step that takes longer withholds the watchdog, so that systemd starts us anew
STATUS_S: Final = 60.0
LOOK_ABOUT_S: Final = 2.0  # at what commands have written
GATHERING_S: Final = 0.01  # between two groups of mails: a group costs the same for one mail as for twenty

EX_OK: Final = 0
EX_SOFTWARE: Final = 70
EX_TEMPFAIL: Final = 75
EX_CONFIG: Final = 78


class Daemon:
    """Runs a desk until it is told to stop."""

    def __init__(
        self, path: Path, settings: Settings, database: Database, now: Clock, facts: Facts = dict[tuple[str, str], int]
    ) -> None:
        self._path = path
        self._now = now
        self._database = database
        self.works = self._appoint(assemble(settings, database, now))
        self._stopping = False
        self._reloading = False
        self._filed, self._posted, self._ticked, self._spoken = Bell(), Bell(), Bell(), Bell()
        self._inbox = GroupCommit(database, now, self._filed.ring)
        self._poller = Poller(database, self._inbox.submit, now, posted=self._posted.ring)
        self._neighbours = Neighbours(database)
        self.listener: SmtpListener | None = None
        self._metrics: Metrics | None = None
        self._figures = Figures(database, now, self._services, facts)
        self._loops = [
            Loop("filer", self._file, self._filed, rest_s=GATHERING_S),
            Loop("indexer", self._index, self._spoken, rest_s=GATHERING_S),
            Loop("scheduler", self._tick, self._ticked),
            Loop("keeper", self._keep),
            Loop("neighbours", self._look_about),
            *(Loop(f"sender-{number}", self._send, self._posted) for number in range(1, SENDERS + 1)),
        ]
        self._progress: dict[str, tuple[int, float]] = {}

    # One step of each service, of the works that are current: a reload replaces them between two steps.

    def _file(self) -> float:
        idle_s = self.works.filer.step()
        if not idle_s:
            self._posted.ring()
            self._ticked.ring()
            self._spoken.ring()
        return idle_s

    def _index(self) -> float:
        return self.works.indexer.step()

    def _tick(self) -> float:
        idle_s = self.works.scheduler.step()
        self._posted.ring()
        return idle_s

    def _send(self) -> float:
        return self.works.sender.step()

    def _keep(self) -> float:
        return self.works.keeper.step()

    def _look_about(self) -> float:
        if self._neighbours.wrote():
            for bell in (self._filed, self._ticked, self._posted):
                bell.ring()
        return LOOK_ABOUT_S

    def _appoint(self, works: Works) -> Works:
        """Let the scheduler of `works` do what is done every so often."""
        works.scheduler.every(mornings.EVERY_S, "mornings", works.mornings.step)
        return works

    def start(self) -> None:
        """Start all services.

        Raises:
            OSError: the listener's address cannot be had.
        """
        self._given = systemd.listen_sockets()
        if self._database.is_sqlite:
            self._recover()
        self._inbox.start()
        self._listen()
        for loop in self._loops:
            loop.start()
        self._poller.start(self.works.settings)
        self._show_figures()

    def _show_figures(self) -> None:
        """Answer monitors as the settings say; where the address cannot be had mail goes on without."""
        if self._metrics is not None:
            self._metrics.stop()
            self._metrics = None
        section = self.works.settings.metrics
        if section is None:
            return
        try:
            self._metrics = Metrics(self._figures, section.listen)
            self._metrics.start()
        except OSError as error:
            log.error("no figures are shown", listen=str(section.listen), why=str(error))  # noqa: TRY400 - no frames needed

    def _services(self) -> Iterator[ServiceState]:
        for loop in self._loops:
            yield ServiceState(loop.name, loop.failing is None and self._turns(loop), loop.steps)
        if self.listener is not None:
            yield ServiceState("smtp-listener", self.listener.healthy(), 0)
        yield ServiceState("inbox", self._inbox.healthy(), 0)
        yield ServiceState("imap", self._poller.healthy() and not self._poller.failing(), 0)

    def _recover(self) -> None:
        """End the leases of a daemon that was killed: on SQLite there is no other whose they could be."""
        with self._database.write() as connection:
            connection.execute(
                update(MailRow)
                .where(MailRow.due_at.is_not(None), MailRow.attempts > 0)
                .values(due_at=MailRow.stored_at)
            )
            now = self._now()
            for table, lease in ((DeliveryRow, sending.LEASE), (TicketRow, scheduler.LEASE)):
                connection.execute(
                    update(table)
                    .where(table.due_at > now, table.due_at <= now + lease, table.attempts > 0)
                    .values(due_at=now)
                )

    def _listen(self) -> None:
        section = self.works.settings.smtp
        if section is None:
            return
        listener = SmtpListener(
            self._inbox.submit,
            lambda address: accepts(self.works.settings, address),
            self._now,
            hostname=self.works.settings.maild.hostname,
            listen=section.listen,
            sockets=[each.dup() for each in self._given],  # ours outlive the listener: it may be replaced
            protocol=section.protocol,
            limits=Limits(
                size_bytes=section.max_size_bytes,
                connections=section.max_connections,
                connections_per_address=section.max_connections_per_address,
            ),
            spool_directory=self._database.path.parent if self._database.is_sqlite else None,  # /tmp may be memory
            tls=tls_context(section.tls_certificate, section.tls_key) if section.tls_certificate else None,
            logins=Logins(
                lambda: any(agent.logs_in for agent in self.works.settings.agents),
                lambda user, password: agent_login(self.works.settings, user, password),
            ),
        )
        listener.start()
        self.listener = listener

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGHUP, self._ask_to_reload)
        asleep, awake = socket.socketpair()
        with asleep, awake:
            awake.setblocking(False)
            # A signal may reach any thread (after SIGSTOP it does), and a lock that the main one waits for does not
            # hear of it; this does.
            signal.set_wakeup_fd(awake.fileno(), warn_on_full_buffer=False)
            try:
                return self._serve(asleep)
            finally:
                signal.set_wakeup_fd(-1)

    def _serve(self, asleep: socket.socket) -> int:
        _settle()
        self.start()
        systemd.notify("READY=1", f"MAINPID={os.getpid()}", self._status())
        log.info("ready", pid=os.getpid())
        beat_s = systemd.watchdog_interval_s() or STATUS_S
        while not self._stopping:
            if told := bool(select.select([asleep], [], [], beat_s)[0]):
                asleep.recv(64)  # a byte a signal; more than that are read at the next turn
            if self._reloading:
                self._reloading = False
                self._reload()
            if told:  # whether all is well takes seconds to ask on a busy machine, and a stop is waited for
                continue
            if self.healthy():
                systemd.notify("WATCHDOG=1", self._status())
            else:
                log.error("a service hangs, the watchdog is withheld")
        return EX_OK if self.stop() else EX_SOFTWARE

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _ask_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reloading = True

    def _reload(self) -> None:
        """Take the configuration anew; a broken one is refused, and the old one goes on."""
        systemd.reloading()
        old = self.works.settings
        try:
            settings = config.load(self._path)
            if settings.maild.database != old.maild.database:
                log.error("reload refused: the database can only be changed by a restart")
                return
            replaced, self.works = self.works, self._appoint(assemble(settings, self._database, self._now))
            if settings.smtp != old.smtp:
                self._listen_anew(replaced)
            replaced.sender.close()
            self._poller.start(settings)
            if settings.metrics != old.metrics:
                self._show_figures()
            _settle()
            log.info("reloaded", configuration=str(self._path))
        except ConfigError as error:
            log.error("reload refused, the old configuration goes on", faults=str(error))  # noqa: TRY400 - the faults are all that is needed
        except Exception:
            log.exception("reload refused, the old configuration goes on")
        finally:
            systemd.notify("READY=1", self._status())

    def _listen_anew(self, replaced: Works) -> None:
        """Listen as the present settings say; where that fails, take back the works that were `replaced`.

        Raises:
            OSError: the new address cannot be had; the old one is listened on again.
        """
        if self.listener is not None:
            self.listener.stop(GRACE_S)
            self.listener = None
        try:
            self._listen()
        except Exception:  # the address may be taken, the certificate unreadable
            self.works = replaced
            self._listen()
            raise

    def stop(self) -> bool:
        """Stop all services; return whether all of them ended in time. Nothing is lost either way."""
        systemd.notify("STOPPING=1", "STATUS=finishing")
        log.info("stopping")
        deadline = time.monotonic() + GRACE_S
        if self._metrics is not None:
            self._metrics.stop()
        for loop in self._loops:
            loop.stop()
        self.works.sender.stop()
        if self.listener is not None:
            self.listener.stop(_left_s(deadline))
        polled = self._poller.stop(_left_s(deadline) / 2)
        self._inbox.stop(_left_s(deadline))
        for loop in self._loops:
            loop.join(_left_s(deadline))
        self.works.sender.close()
        clean = polled and not any(loop.is_alive() for loop in self._loops)
        if clean:
            self._neighbours.close()
            self._database.close()
        log.info("stopped", clean=clean)
        return clean

    def healthy(self) -> bool:
        """Return whether every service turns, or waits for work."""
        if self.listener is not None and not self.listener.healthy():
            return False
        return self._poller.healthy() and all(self._turns(loop) for loop in self._loops)

    def _turns(self, loop: Loop) -> bool:
        steps, since = self._progress.get(loop.name, (-1, 0.0))
        if loop.steps != steps or not loop.working:
            self._progress[loop.name] = (loop.steps, time.monotonic())
            return loop.is_alive()
        return time.monotonic() - since < HANG_S

    def _status(self) -> str:
        failing = [loop.name for loop in self._loops if loop.failing] + self._poller.failing()
        where = "{}:{}".format(*self.listener.address) if self.listener else "no listener"
        return f"STATUS=serving on {where}" + (f"; failing: {', '.join(failing)}" if failing else "")


def _left_s(deadline: float) -> float:
    """Return how long may be waited for what comes next: all that a stop waits for ends about then."""
    return max(0.1, deadline - time.monotonic())


def _settle() -> None:
    """Let the collector of garbage pass over what is there by now: at every group it would take a tenth of filing."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def serve(path: Path, tell: Callable[[str], None], facts: Facts = dict[tuple[str, str], int]) -> int:
    """Run the daemon with the configuration at `path`; return the exit status (sysexits.h).

    `tell` gets what an operator must read at once: faults of the configuration and the database. `facts` gives how
    often each line was logged, for the figures.
    """
    os.umask(0o077)  # mails, keys and tokens are nobody else's; the unit says so, too
    os.environ["TZ"] = "UTC"  # the metronome counts in local time; UTC has no summer
    time.tzset()
    try:
        settings = config.load(path)
    except ConfigError as error:
        tell(error.render())
        return EX_CONFIG
    database = Database(settings.maild.database)
    try:
        database.claim_for_daemon(f"pid {os.getpid()}")
        systemd.notify("STATUS=updating the database")
        if schema.upgrade(database):
            log.info("database upgraded", schema=schema.revisions(database).need)
        now = clock.Clock()
        with database.read() as connection:
            now.begin(schedule.last_seen(connection))
        daemon = Daemon(path, settings, database, now, facts)
    except AlreadyRunning as error:
        tell(str(error))
        return EX_TEMPFAIL
    except schema.SchemaError as error:
        tell(str(error))
        return EX_CONFIG
    for warning in config.warnings(settings):
        log.warning(warning)
    with suppress(KeyboardInterrupt):
        return daemon.run()
    return EX_OK
