"""Threads write in the order of asking."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from maild.store.engine import Turn


def waits(turn: Turn, count: int) -> None:
    """Return when `count` threads wait for their turn."""
    pause = threading.Event()
    while len(turn._waiting) < count:
        pause.wait(0.001)


def test_only_one_has_the_turn() -> None:
    turn = Turn()

    with turn.taken(0) as first, turn.taken(0) as second:
        assert (first, second) == (True, False)

    with turn.taken(0) as again:
        assert again


def test_whoever_asked_first_is_next() -> None:
    turn = Turn()
    served: list[int] = []

    def serve(number: int) -> None:
        with turn.taken(10):
            served.append(number)

    with ThreadPoolExecutor(4) as threads:
        with turn.taken(0):
            asked: list[Future[None]] = []
            for number in range(4):
                asked.append(threads.submit(serve, number))
                waits(turn, number + 1)
        for each in asked:
            each.result()

    assert served == [0, 1, 2, 3]


def test_whoever_gave_up_is_passed_over() -> None:
    turn = Turn()

    def ask(wait_s: float) -> bool:
        with turn.taken(wait_s) as ours:
            return ours

    with ThreadPoolExecutor(2) as threads:
        with turn.taken(0):
            impatient = threads.submit(ask, 0.01)
            assert impatient.result() is False
            patient = threads.submit(ask, 10)
            waits(turn, 1)
        assert patient.result() is True


def test_a_turn_is_passed_on_when_the_work_fails() -> None:
    turn = Turn()
    try:
        with turn.taken(0):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass

    with turn.taken(0) as ours:
        assert ours
