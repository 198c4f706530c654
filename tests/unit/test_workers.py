"""What the daemon makes of what its workers tell: who hangs, and how many are wanted."""

import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from maild.clock import Clock
from maild.store.engine import Database
from maild.workers import staffing
from maild.workers import supervisor as supervising
from maild.workers.channel import Channel
from maild.workers.child import FIRST, HANG_S, LONGEST_FILING_S, MOST_UNANSWERED, Child
from maild.workers.spawning import ForkServer
from maild.workers.supervisor import Supervisor

NOW_S = 1_000.0
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def child(name: str = FIRST, *, busy_since_s: float | None = None, idle_since_s: float | None = None) -> Child:
    ours, theirs = socket.socketpair()
    theirs.close()
    made = Child(1, name, Channel(ours), "")
    made.ready = True
    made.busy_since_s = NOW_S if busy_since_s is None else busy_since_s
    made.idle_since_s = idle_since_s
    made.groups, made.begun = 1, (7,)
    made.channel.close()
    return made


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


class TestHanging:
    def test_a_worker_that_does_not_answer_hangs(self) -> None:
        stopped = child()
        for _ in range(MOST_UNANSWERED):
            stopped.unanswered += 1
            assert stopped.hangs(NOW_S) is None
        stopped.unanswered += 1

        assert stopped.hangs(NOW_S) == "does not answer"

    def test_an_answer_shows_that_it_does_not(self) -> None:
        slow = child()
        slow.unanswered = MOST_UNANSWERED + 1
        slow.note({"state": []}, NOW_S)

        assert slow.hangs(NOW_S) is None

    @pytest.mark.parametrize(("loop", "patience_s"), [("filer", LONGEST_FILING_S), ("keeper", HANG_S)])
    def test_a_step_that_takes_too_long_hangs_though_it_answers(self, loop: str, patience_s: float) -> None:
        endless = child()
        endless.note({"state": [[loop, 7, True, None]]}, NOW_S)
        assert endless.hangs(NOW_S) is None
        assert endless.hangs(NOW_S + patience_s) is None

        assert endless.hangs(NOW_S + patience_s + 1) == f"{loop} does not get on"

    def test_one_that_waits_for_work_does_not_hang(self) -> None:
        waiting = child()
        waiting.note({"state": [["filer", 7, False, None]]}, NOW_S)
        waiting.hangs(NOW_S)

        assert waiting.hangs(NOW_S + 10 * HANG_S) is None

    def test_one_that_gets_on_does_not_hang(self) -> None:
        busy = child()
        for steps in range(100):
            busy.note({"state": [["filer", steps, True, None]]}, NOW_S + 60 * steps)

            assert busy.hangs(NOW_S + 60 * steps) is None

    def test_one_whose_channel_has_ended_is_to_end_soon(self) -> None:
        silent = child()
        silent.silent_since_s = NOW_S

        assert silent.hangs(NOW_S + 1) is None
        assert silent.hangs(NOW_S + 6) == "does not end"

    def test_a_stopped_process_is_ended(self, sleeper: subprocess.Popen[bytes]) -> None:
        os.kill(sleeper.pid, signal.SIGSTOP)
        stopped = child()
        stopped.forked(sleeper.pid, os.pidfd_open(sleeper.pid))
        stopped.kill()

        assert sleeper.wait(10) == -signal.SIGKILL
        stopped.kill()  # it is gone; nobody else is hit
        stopped.close()


class TestEnds:
    def test_a_worker_has_ended_when_all_is_heard_of_it_and_its_status_is_known(self) -> None:
        dying = child()
        dying.exit_status = -signal.SIGKILL
        assert not dying.ended
        dying.silent_since_s = time.monotonic()

        assert dying.ended
        assert dying.how() == "SIGKILL"

    def test_nobody_knows_how_it_ended_if_the_fork_server_died_before_it(self) -> None:
        orphan = child()
        orphan.silent_since_s = NOW_S
        orphan.orphaned = True

        assert orphan.ended
        assert orphan.how().startswith("unknown")


class TestReplacing:
    """Who goes when a first worker is ready, and what becomes of the mails of one that dies."""

    CONFIGURATION = "one reading of the file"

    @pytest.fixture
    def supervisor(self) -> Iterator[Supervisor]:
        made = Supervisor(Path("maild.toml"), Clock(), logging.INFO, ForkServer(), posted=lambda: None)
        yield made
        for each in (made._selector, made._asleep, made._awake, *(one.channel for one in made._children)):
            each.close()

    def begun(self, supervisor: Supervisor, name: str, configuration: str = CONFIGURATION) -> Child:
        ours, theirs = socket.socketpair()
        theirs.close()
        made = Child(len(supervisor._children) + 1, name, Channel(ours), configuration)
        made.pid, made.ready = os.getpid(), True
        supervisor._children.append(made)
        return made

    def test_one_in_the_place_of_a_dead_one_leaves_the_other_filers_alone(self, supervisor: Supervisor) -> None:
        other, anew = self.begun(supervisor, "filer-2"), self.begun(supervisor, FIRST)
        supervisor._welcome(anew)

        assert not other.leaving

    def test_one_of_another_reading_has_all_others_go_even_if_the_words_are_the_same(
        self, supervisor: Supervisor
    ) -> None:
        old = [self.begun(supervisor, FIRST), self.begun(supervisor, "filer-2")]
        supervisor._welcome(self.begun(supervisor, FIRST, "".join(self.CONFIGURATION)))  # equal, and read anew

        assert all(each.leaving for each in old)

    def test_who_has_lost_the_fork_server_goes_when_another_is_ready(self, supervisor: Supervisor) -> None:
        old = [self.begun(supervisor, FIRST), self.begun(supervisor, "filer-2")]
        for each in old:
            each.orphaned = True
        supervisor._welcome(self.begun(supervisor, FIRST))

        assert all(each.leaving for each in old)

    @pytest.mark.parametrize(
        ("status", "begun"),
        [
            (-signal.SIGSEGV, [7]),
            (-signal.SIGKILL, []),  # we did, since it did not end in time
        ],
    )
    def test_what_one_had_that_dies_while_it_leaves_is_free(
        self, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, status: int, begun: list[int]
    ) -> None:
        freed: list[tuple[datetime, list[int]]] = []
        monkeypatch.setattr(supervising, "free", lambda _, fence, mails: freed.append((fence, list(mails))))
        supervisor._database = cast("Database", object())
        leaving = self.begun(supervisor, "filer-2")
        leaving.leaving, leaving.fence, leaving.begun = True, NOW, [7]
        leaving.silent_since_s, leaving.exit_status = NOW_S, status
        supervisor._bury(leaving)

        assert freed == [(NOW, begun)]


class TestStaffing:
    MOST = 3

    def further(self, *children: Child) -> str | None:
        return staffing.further(children, self.MOST, NOW_S)

    def test_the_first_is_begun_anew_beside_one_that_has_lost_its_fork_server_when_there_is_another(self) -> None:
        orphan, leaving = child(), child()
        orphan.orphaned = leaving.leaving = True

        assert not staffing.lacks_first([child()], has_fork_server=True)
        assert not staffing.lacks_first([orphan], has_fork_server=False)
        assert staffing.lacks_first([orphan], has_fork_server=True)
        assert staffing.lacks_first([leaving], has_fork_server=True)

    def test_a_further_filer_begins_when_all_have_filed_for_long(self) -> None:
        assert self.further(child(busy_since_s=NOW_S - 1)) == "filer-2"
        assert self.further(child(busy_since_s=NOW_S - 1), child("filer-2", busy_since_s=NOW_S - 1)) == "filer-3"
        assert self.further(child(busy_since_s=NOW_S - 1), child("filer-3", busy_since_s=NOW_S - 1)) == "filer-2"

    def test_none_begins_while_one_has_just_begun_or_has_nothing_to_do(self) -> None:
        assert self.further(child(busy_since_s=NOW_S - 0.01)) is None
        assert self.further(child(idle_since_s=NOW_S - 1)) is None
        assert self.further(child(busy_since_s=NOW_S - 1), child("filer-2", idle_since_s=NOW_S)) is None

    def test_none_begins_for_one_group_of_mails_however_long_it_takes(self) -> None:
        large, last = child(busy_since_s=NOW_S - 60), child(busy_since_s=NOW_S - 60)
        large.groups = 0
        last.note({"did": "filed"}, NOW_S)

        assert self.further(large) is None
        assert self.further(last) is None

    def test_none_begins_while_another_is_not_ready(self) -> None:
        beginning = child("filer-2", busy_since_s=NOW_S - 1)
        beginning.ready = False

        assert self.further(child(busy_since_s=NOW_S - 1), beginning) is None

    def test_there_are_no_more_than_may_be(self) -> None:
        names = [FIRST, *(f"filer-{number}" for number in range(2, self.MOST + 1))]

        assert self.further(*(child(name, busy_since_s=NOW_S - 1) for name in names)) is None

    def test_a_further_filer_that_has_had_nothing_to_do_for_long_goes_and_the_first_stays(self) -> None:
        long_ago_s = NOW_S - staffing.IDLE_S - 1
        first, second = child(idle_since_s=long_ago_s), child("filer-2", idle_since_s=long_ago_s)
        third = child("filer-3", idle_since_s=NOW_S - 1)

        assert staffing.superfluous([first, second, third], NOW_S) == [second]

    def test_a_processor_is_left_to_those_that_move_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = []
        for count in (1, 2, 3, 4, 64):
            monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=count: set(range(count)))
            found.append(staffing.most_filers())

        assert found == [1, 1, 2, 3, 4]
