"""Who gets a ticket that has nobody: fairly, never an agent who is away, and never nobody while somebody is there."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from maild.rules.assignment import Candidate, Mode, choose

ANNA, BERT, CARL = Candidate("anna"), Candidate("bert"), Candidate("carl")
MODES = st.sampled_from([Mode.ROUND_ROBIN, Mode.LEAST_OPEN])
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abcdefgh"),
        turn=st.integers(0, 50),
        waiting=st.integers(0, 9),
        at_work=st.booleans(),
        away=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda each: each.agent,
)


def give(mode: Mode, candidates: list[Candidate]) -> str | None:
    """Choose one of `candidates`, and let him have it."""
    chosen = choose(mode, candidates).agent
    latest = max(each.turn for each in candidates)
    candidates[:] = [
        replace(each, turn=latest + 1, waiting=each.waiting + 1) if each.agent == chosen else each
        for each in candidates
    ]
    return chosen


def test_agents_take_turns_in_the_order_of_the_configuration() -> None:
    candidates = [ANNA, BERT, CARL]

    assert [give(Mode.ROUND_ROBIN, candidates) for _ in range(5)] == ["anna", "bert", "carl", "anna", "bert"]


def test_the_fewest_waiting_tickets_decide_and_among_equals_the_turn() -> None:
    candidates = [replace(ANNA, waiting=2), BERT, CARL]

    assert [give(Mode.LEAST_OPEN, candidates) for _ in range(5)] == ["bert", "carl", "bert", "carl", "anna"]


def test_where_nobody_is_assigned_nobody_is() -> None:
    assert choose(Mode.NONE, [ANNA]).agent is None
    assert choose(Mode.ROUND_ROBIN, []).agent is None


def test_who_had_the_ticket_before_gets_it_unless_he_is_away() -> None:
    busy = replace(CARL, turn=9, at_work=False)

    assert choose(Mode.ROUND_ROBIN, [ANNA, busy], "carl").agent == "carl"
    assert choose(Mode.ROUND_ROBIN, [ANNA, replace(busy, away=True)], "carl").agent == "anna"
    assert choose(Mode.ROUND_ROBIN, [ANNA, BERT], "gone").agent == "anna"


def test_who_is_at_work_comes_first_and_the_reason_says_when_nobody_is() -> None:
    at_home = replace(ANNA, at_work=False)

    assert choose(Mode.ROUND_ROBIN, [at_home, replace(BERT, turn=9)]).agent == "bert"
    assert choose(Mode.ROUND_ROBIN, [at_home]).reason == "round-robin: his turn, nobody is at work"


def test_who_comes_back_is_next_once_and_does_not_get_all_that_he_missed() -> None:
    candidates = [replace(ANNA, away=True), BERT]
    for _ in range(10):
        give(Mode.ROUND_ROBIN, candidates)
    candidates[0] = replace(candidates[0], away=False)

    assert [give(Mode.ROUND_ROBIN, candidates) for _ in range(4)] == ["anna", "bert", "anna", "bert"]


@given(st.integers(1, 7), st.integers(0, 60))
def test_whoever_is_there_all_the_time_gets_as_many_as_the_others_or_one_more(agents: int, tickets: int) -> None:
    candidates = [Candidate(str(each)) for each in range(agents)]
    got = Counter(give(Mode.ROUND_ROBIN, candidates) for _ in range(tickets))

    shares = [got[each.agent] for each in candidates]
    assert sum(shares) == tickets
    assert max(shares) - min(shares) <= 1


@given(CANDIDATES, st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40))
def test_absences_upset_nobodys_turn(candidates: list[Candidate], absences: list[tuple[int, bool]]) -> None:
    """Between two tickets of one agent every other one who is there all the time gets one, too."""
    candidates = [replace(each, turn=0, at_work=True, away=False) for each in candidates]
    given_to: list[str | None] = []
    always = {each.agent for at, each in enumerate(candidates) if at not in {who for who, _ in absences}}
    for who, away in absences:
        if who < len(candidates):
            candidates[who] = replace(candidates[who], away=away)
        if candidates:
            given_to.append(give(Mode.ROUND_ROBIN, candidates))
    shares = [given_to.count(agent) for agent in always]

    assert not shares or max(shares) - min(shares) <= 1


@given(MODES, CANDIDATES, st.none() | st.sampled_from("abcdefgh"))
def test_somebody_gets_it_if_somebody_is_there(mode: Mode, candidates: list[Candidate], preferred: str | None) -> None:
    chosen = choose(mode, candidates, preferred)
    present = {each.agent for each in candidates if not each.away}

    assert (chosen.agent in present) if present else (chosen.agent is None)
    assert chosen.reason


@given(CANDIDATES)
def test_nobody_with_more_waiting_tickets_is_chosen_while_another_at_work_has_fewer(
    candidates: list[Candidate],
) -> None:
    chosen = choose(Mode.LEAST_OPEN, candidates).agent
    at_work = [each for each in candidates if each.at_work and not each.away]
    if at_work:
        fewest = min(each.waiting for each in at_work)

        assert any(each.agent == chosen and each.waiting == fewest for each in at_work)
