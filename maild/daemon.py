"""The daemon: configuration -> database -> services; threads, signals, systemd.

    main thread        signals, watchdog, systemd's notifications
    smtp-listener      asyncio: connections; one writer thread for the group commit
    imap-NAME          a folder of a mailbox -> stored mails
    sender-N           deliveries -> smarthost            bell: a mail was posted
    neighbours         rings for all when another process has written: commands ring no bell
    supervisor         begins processes for what thinks: files mails, ticks tickets, keeps order

What thinks is in processes of its own (`maild.workers`), so that neither a mail that kills its parser nor the rendering
of a thousand mails is felt by whoever delivers. Start-up is recovery: there is nothing
to repair after a kill, only leases to wait for. SIGTERM: the listener takes nothing new, what is inside DATA is
finished, every thread ends after its present step. SIGHUP: a valid configuration is taken, a broken one is refused
and told, and the old one goes on.
"""

import gc
import logging
import os
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import structlog

from maild import clock, config, systemd
from maild.admission import accepts, agent_login
from maild.config import ConfigError, Settings
from maild.inbox import GroupCommit
from maild.services.imap_poller import Poller
from maild.services.loop import Bell, Loop, ServiceState, settle
from maild.services.sender import Sender
from maild.services.smtp_listener import Limits, Logins, SmtpListener, tls_context
from maild.store import keys, schedule, schema
from maild.store.engine import AlreadyRunning, Database
from maild.store.neighbours import Neighbours
from maild.workers.complaints import Complaints
from maild.workers.recovery import recover
from maild.workers.spawning import ForkServer
from maild.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from maild.services.metrics import Metrics

log = structlog.get_logger("maild.daemon")

Facts = Callable[[], Mapping[tuple[str, str], int]]

SENDERS: Final = 3  # threads; each keeps a connection to the smarthost
GRACE_S: Final = 8.0  # for clients inside DATA, and for the present step of each thread
HANG_S: Final = 300.0  # a step that takes longer withholds the watchdog, so that systemd starts us anew
STATUS_S: Final = 60.0
LOOK_ABOUT_S: Final = 2.0  # at what commands have written

EX_OK: Final = 0
EX_SOFTWARE: Final = 70
EX_TEMPFAIL: Final = 75
EX_CONFIG: Final = 78


class RefusedError(Exception):
    """The configuration cannot be worked with; the text says why."""


class Daemon:
    """Runs a desk until it is told to stop."""

    def __init__(
        self,
        path: Path,
        text: str,
        settings: Settings,
        database: Database,
        now: clock.Clock,
        supervisor: Supervisor,
        posted: Bell,
        facts: Facts = dict[tuple[str, str], int],
    ) -> None:
        self._path = path
        self._text = text  # what the file said when it was taken
        self._now = now
        self._database = database
        self._settings = settings
        self._keys = keys.load(database, now())
        self._sender = self._sender_of(settings)
        self._stopping = False
        self._reloading = False
        self._supervisor = supervisor
        self._posted = posted
        self._inbox = GroupCommit(database, now, supervisor.ring)
        self._poller = Poller(database, self._inbox.submit, now, posted=self._posted.ring)
        self._neighbours = Neighbours(database)
        self.listener: SmtpListener | None = None
        self._metrics: Metrics | None = None
        self._facts = facts
        self._loops = [
            Loop("neighbours", self._look_about),
            *(Loop(f"sender-{number}", self._send, posted) for number in range(1, SENDERS + 1)),
        ]
        self._progress: dict[str, tuple[int, float]] = {}

    def _send(self) -> float:
        """Send by the settings that are current: a reload replaces the sender between two steps."""
        return self._sender.step()

    def _look_about(self) -> float:
        if self._neighbours.wrote():
            self._supervisor.ring_all()
            self._posted.ring()
        return LOOK_ABOUT_S

    def _sender_of(self, settings: Settings) -> Sender:
        told = Complaints(settings, self._database, self._now)
        return Sender(self._database, settings, told, self._keys, self._now)

    def start(self) -> None:
        """Start all services.

        Raises:
            OSError: the listener's address cannot be had.
        """
        self._given = systemd.listen_sockets()
        if self._database.is_sqlite:
            recover(self._database, self._now())
        self._supervisor.go(self._database)
        self._inbox.start()
        self._listen()
        for loop in self._loops:
            loop.start()
        self._poller.start(self._settings)
        self._show_figures()

    def _show_figures(self) -> None:
        """Answer monitors as the settings say; where the address cannot be had mail goes on without."""
        if self._metrics is not None:
            self._metrics.stop()
            self._metrics = None
        section = self._settings.metrics
        if section is None:
            return
        try:
            from maild.services.metrics import Figures, Metrics  # noqa: PLC0415 - few want them

            figures = Figures(self._database, self._now, self._services, self._all_facts)
            self._metrics = Metrics(figures, section.listen)
            self._metrics.start()
        except OSError as error:
            log.error("no figures are shown", listen=str(section.listen), why=str(error))  # noqa: TRY400 - no frames needed

    def _all_facts(self) -> Mapping[tuple[str, str], int]:
        """Return how often each line was logged, here and by the workers."""
        return Counter(self._facts()) + Counter(self._supervisor.facts())

    def _services(self) -> Iterator[ServiceState]:
        yield from self._states()
        yield from self._supervisor.services()
        if self.listener is not None:
            yield ServiceState("smtp-listener", self.listener.healthy(), 0)
        yield ServiceState("inbox", self._inbox.healthy(), 0)
        yield ServiceState("imap", self._poller.healthy() and not self._poller.failing(), 0)

    def _states(self) -> list[ServiceState]:
        return [ServiceState(each.name, each.failing is None and self._turns(each), each.steps) for each in self._loops]

    def _listen(self) -> None:
        section = self._settings.smtp
        if section is None:
            return
        listener = SmtpListener(
            self._inbox.submit,
            lambda address: accepts(self._settings, address),
            self._now,
            hostname=self._settings.maild.hostname,
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
                lambda: any(agent.logs_in for agent in self._settings.agents),
                lambda user, password: agent_login(self._settings, user, password),
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
        settle()
        self.start()
        if (refused := self._supervisor.verdict()) is not None:
            self.stop()
            raise RefusedError(refused)
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
        try:
            text = config.read(self._path)
            settings = config.load(self._path, text)
            refused = self._refusal(settings) or self._supervisor.replace(text)
        except ConfigError as error:
            refused = str(error)
        if refused is None:
            self._take(settings, text)
        else:
            log.error("reload refused, the old configuration goes on", faults=refused)
        systemd.notify("READY=1", self._status())

    def _refusal(self, settings: Settings) -> str | None:
        if settings.maild.database != self._settings.maild.database:
            return "the database can only be changed by a restart"
        return None

    def _take(self, settings: Settings, text: str) -> None:
        """Go on by other settings, which a worker has taken; if that cannot be everything stays as it was."""
        old = self._settings
        try:
            self._settings = settings
            if settings.smtp != old.smtp:
                self._listen_anew(old)
            replaced, self._sender = self._sender, self._sender_of(settings)
            replaced.close()
            self._poller.start(settings)
            if settings.metrics != old.metrics:
                self._show_figures()
            gc.unfreeze()
            gc.collect()  # the old settings
            settle()
            self._text = text
            log.info("reloaded", configuration=str(self._path))
        except Exception:
            log.exception("reload refused, the old configuration goes on")
            self._supervisor.replace(self._text)

    def _listen_anew(self, old: Settings) -> None:
        """Listen as the present settings say; where that fails, take back the `old` ones.

        Raises:
            OSError: the new address cannot be had; the old one is listened on again.
        """
        if self.listener is not None:
            self.listener.stop(GRACE_S)
            self.listener = None
        try:
            self._listen()
        except Exception:  # the address may be taken, the certificate unreadable
            self._settings = old
            self._listen()
            raise

    def stop(self) -> bool:
        """Stop all services; return whether all of them ended in time. Nothing is lost either way."""
        systemd.notify("STOPPING=1", "STATUS=finishing")
        log.info("stopping")
        deadline = time.monotonic() + GRACE_S
        if self._metrics is not None:
            self._metrics.stop()
        self._supervisor.stop()
        for loop in self._loops:
            loop.stop()
        self._sender.stop()
        if self.listener is not None:
            self.listener.stop(_left_s(deadline))
        polled = self._poller.stop(_left_s(deadline) / 2)
        self._inbox.stop(_left_s(deadline))
        for loop in self._loops:
            loop.join(_left_s(deadline))
        self._sender.close()
        ended = self._supervisor.end(_left_s(deadline))
        clean = polled and ended and not any(loop.is_alive() for loop in self._loops)
        if clean:
            self._neighbours.close()
            self._database.close()
        log.info("stopped", clean=clean)
        return clean

    def healthy(self) -> bool:
        """Return whether every service turns, or waits for work."""
        if self.listener is not None and not self.listener.healthy():
            return False
        return self._supervisor.is_alive() and self._poller.healthy() and all(self._turns(loop) for loop in self._loops)

    def _turns(self, loop: Loop) -> bool:
        steps, since = self._progress.get(loop.name, (-1, 0.0))
        if loop.steps != steps or not loop.working:
            self._progress[loop.name] = (loop.steps, time.monotonic())
            return loop.is_alive()
        return time.monotonic() - since < HANG_S

    def _status(self) -> str:
        failing = [each.name for each in (*self._states(), *self._supervisor.services()) if not each.working]
        failing += self._poller.failing()
        where = "{}:{}".format(*self.listener.address) if self.listener else "no listener"
        return f"STATUS=serving on {where}" + (f"; failing: {', '.join(failing)}" if failing else "")


def _left_s(deadline: float) -> float:
    """Return how long may be waited for what comes next: all that a stop waits for ends about then."""
    return max(0.1, deadline - time.monotonic())


def serve(
    path: Path,
    tell: Callable[[str], None],
    facts: Facts = dict[tuple[str, str], int],
    level: int = logging.INFO,
    fork_server: ForkServer | None = None,
) -> int:
    """Run the daemon with the configuration at `path`; return the exit status (sysexits.h).

    `tell` gets what an operator must read at once: faults of the configuration and the database. `facts` gives how
    often each line was logged, for the figures; `level` is what workers log; `fork_server` is what begins
    workers, and may have been begun.
    """
    os.umask(0o077)  # mails, keys and tokens are nobody else's; the unit says so, too
    os.environ["TZ"] = "UTC"  # the metronome counts in local time; UTC has no summer
    time.tzset()
    try:
        text = config.read(path)
        settings = config.load(path, text)
    except ConfigError as error:
        tell(error.render())
        return EX_CONFIG
    now = clock.Clock()
    posted = Bell()
    supervisor = Supervisor(path, now, level, fork_server or ForkServer(), posted=posted.ring)
    supervisor.begin(text)
    database = Database(settings.maild.database)
    try:
        database.claim_for_daemon(f"pid {os.getpid()}")
        systemd.notify("STATUS=updating the database")
        if schema.upgrade(database):
            log.info("database upgraded", schema=schema.revisions(database).need)
        with database.read() as connection:
            now.begin(schedule.last_seen(connection))
        daemon = Daemon(path, text, settings, database, now, supervisor, posted, facts)
    except AlreadyRunning as error:
        tell(str(error))
        return EX_TEMPFAIL
    except schema.SchemaError as error:
        tell(str(error))
        return EX_CONFIG
    for warning in config.warnings(settings):
        log.warning(warning)
    try:
        return daemon.run()
    except RefusedError as error:
        tell(str(error))
        return EX_CONFIG
    except KeyboardInterrupt:
        return EX_OK
