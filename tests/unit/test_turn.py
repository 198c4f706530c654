"""Threads write in the order of asking."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from maild.store.locks import Turn


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


def test_the_urgent_one_is_next_and_nobody_else_is_let_in_before_him() -> None:
    served: list[str] = []
    turn = Turn(lambda: served.append("others"))

    def serve(name: str, urgent: bool) -> None:
        with turn.taken(10, urgent=urgent):
            served.append(name)

    with ThreadPoolExecutor(3) as threads:
        with turn.taken(0):
            asked: list[Future[None]] = []
            for number, name in enumerate(("first", "second", "urgent")):
                asked.append(threads.submit(serve, name, name == "urgent"))
                waits(turn, number + 1)
        for each in asked:
            each.result()

    assert served == ["urgent", "others", "first", "others", "second", "others"]


def test_others_are_let_in_when_the_urgent_one_gave_up() -> None:
    let_in: list[None] = []
    turn = Turn(lambda: let_in.append(None))

    def ask() -> bool:
        with turn.taken(0.01, urgent=True) as ours:
            return ours

    with ThreadPoolExecutor(1) as threads, turn.taken(0):
        assert threads.submit(ask).result() is False

    assert let_in == [None]
