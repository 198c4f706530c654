"""What releases a held mail, and what an agent has to prove."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.address import valid
from maild.message.tokens import (
    Forged,
    Key,
    Keys,
    Role,
    Token,
    any_signed_part,
    bounce_address,
    read,
    read_bounce_address,
    read_release_address,
    release_address,
    reply_address,
    sign,
)
from maild.rules.routing import OPERATOR, REOPENINGS_A_DAY, Action, Facts, agent_proof, route

KEYS = Keys(Key("k", b"a secret of thirty-two bytes....."))
OTHER = Keys(Key("k", b"another secret of the same length"))
BASE = "support@acme.example"
OURS = frozenset({BASE, "desk.acme.example"})
AGENT = Facts(kind="human", agent=True)
ids = st.integers(0, 9_999_999)


@given(ids, ids)
def test_a_release_address_is_read_back_in_either_form(mail: int, address: int) -> None:
    plus = release_address(KEYS, mail, address, BASE, "plus")
    alone = release_address(KEYS, mail, address, "any@desk.acme.example", "catch-all")

    assert read_release_address(KEYS, plus, OURS) == (mail, address)
    assert read_release_address(KEYS, alone.upper(), OURS) == (mail, address)
    assert valid(plus)
    assert len(plus.partition("@")[0]) <= 64


@given(ids, ids, st.integers(0, 25), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_release_address_releases_nothing(mail: int, address: int, at: int, letter: str) -> None:
    whole = release_address(KEYS, mail, address, BASE, "plus")
    place = whole.index("@") - 26 + at
    changed = whole[:place] + letter + whole[place + 1 :]

    found = read_release_address(KEYS, changed, OURS)
    assert found == (mail, address) if changed == whole else isinstance(found, Forged)


@pytest.mark.parametrize(("old", "new"), [("h17.", "h18."), (".a5.", ".a6."), (".a5.", ".c5."), ("h17.", "t17.")])
def test_a_release_of_something_else_is_none(old: str, new: str) -> None:
    changed = release_address(KEYS, 17, 5, BASE, "plus").replace(old, new)

    assert not isinstance(read_release_address(KEYS, changed, OURS), tuple)


def test_a_release_with_another_key_is_none() -> None:
    assert isinstance(read_release_address(OTHER, release_address(KEYS, 17, 5, BASE, "plus"), OURS), Forged)


def test_a_release_is_no_token_and_no_token_is_a_release() -> None:
    release = release_address(KEYS, 17, 5, BASE, "plus")

    assert read(KEYS, any_signed_part(release) or "") is None
    assert read_bounce_address(KEYS, release, OURS) is None
    for role in Role:
        token = reply_address(BASE, sign(KEYS, Token(17, role, 5)), "plus")
        assert read_release_address(KEYS, token, OURS) is None
    assert read_release_address(KEYS, bounce_address(KEYS, 17, BASE, "plus"), OURS) is None


def test_at_a_domain_that_is_not_ours_nothing_is_released() -> None:
    assert read_release_address(KEYS, release_address(KEYS, 17, 5, "x@evil.example", "plus"), OURS) is None


ASKING = replace(AGENT, release="")


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (ASKING, Action.RELEASE),
        (replace(ASKING, trust="pass"), Action.RELEASE),
        (replace(ASKING, trust="fail"), Action.NOTED),
        (replace(ASKING, agent=False), Action.NOTED),
        (replace(ASKING, agent=False, trust="pass"), Action.NOTED),
        (replace(ASKING, release="it is not his"), Action.NOTED),
        (replace(ASKING, kind="ooo"), Action.NOTED),
        (replace(ASKING, kind="auto"), Action.NOTED),
        (replace(ASKING, kind="list"), Action.NOTED),
        (replace(ASKING, kind="mdn"), Action.NOTED),
        (replace(ASKING, both=True), Action.NOTED),
        (replace(ASKING, both=True, trust="pass"), Action.RELEASE),
        (replace(ASKING, ticket_id=1, role="a", token_is_senders=True), Action.RELEASE),
        (replace(ASKING, kind="own"), Action.NOTED),
        (replace(ASKING, kind="dsn-failed", bounced_delivery=True), Action.BOUNCE),
    ],
)
def test_a_mail_to_a_release_address(facts: Facts, action: Action) -> None:
    assert route(facts).action is action


HELD = replace(AGENT, ticket_id=1)


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        (replace(HELD, released_by="anna@acme.example"), Action.ANSWER),
        (replace(HELD, released_by="anna@acme.example", role="n"), Action.NOTE),
        (replace(HELD, released_by="anna@acme.example", ticket_id=None), Action.OPEN),
        (replace(HELD, released_by="anna@acme.example", trust="fail"), Action.HELD),
        (replace(HELD, released_by=OPERATOR, trust="fail"), Action.ANSWER),
        (replace(HELD, released_by=OPERATOR, both=True), Action.ANSWER),
        (replace(HELD, released_by="anna@acme.example", both=True), Action.HELD),
        (replace(HELD, released_by="anna@acme.example", both=True, trust="pass"), Action.ANSWER),
        (Facts(kind="human", ticket_id=1, role="a", token_is_senders=True), Action.HELD),
        (Facts(kind="human", ticket_id=1, role="a", token_is_senders=True, released_by=OPERATOR), Action.CUSTOMER),
        (
            Facts(kind="human", ticket_id=1, role="s", takes_part=True, trust="fail", released_by=OPERATOR),
            Action.SOLVED,
        ),
        (
            Facts(
                kind="human",
                ticket_id=1,
                would_reopen=True,
                reopenings_today=REOPENINGS_A_DAY,
                released_by=OPERATOR,
            ),
            Action.CUSTOMER,
        ),
    ],
)
def test_what_was_released_is_filed_as_if_it_had_been_proven(facts: Facts, action: Action) -> None:
    assert route(facts).action is action


@pytest.mark.parametrize(
    ("role", "mine", "trust", "either", "both"),
    [
        (None, False, "none", False, False),
        (None, False, "pass", True, False),
        (None, False, "fail", False, False),
        ("a", True, "none", True, False),
        ("a", True, "pass", True, True),
        ("a", True, "fail", False, False),
        ("n", True, "pass", True, True),
        ("a", False, "none", False, False),
        ("a", False, "pass", False, False),
        ("c", True, "none", False, False),
        ("c", True, "pass", True, False),
        ("s", True, "pass", True, False),
    ],
)
def test_what_proves_an_agent(role: str | None, mine: bool, trust: str, either: bool, both: bool) -> None:
    facts = Facts(kind="human", agent=True, ticket_id=1, role=role, token_is_senders=mine, trust=trust)

    assert (agent_proof(facts, both=False) is not None) is either
    assert (agent_proof(facts, both=True) is not None) is both


def test_no_failure_passes_for_an_agent_whatever_else_he_shows() -> None:
    for role, mine, takes_part, both, by in product(
        (None, "a", "n", "c", "s"), (True, False), (True, False), (True, False), ("", "anna@acme.example")
    ):
        facts = Facts(
            "human",
            ticket_id=1,
            role=role,
            proven=True,
            token_is_senders=mine,
            takes_part=takes_part,
            agent=True,
            trust="fail",
            both=both,
            released_by=by,
        )

        assert route(facts).action is Action.HELD
        assert not route(facts).confirm


def test_only_a_name_without_proof_is_asked_about() -> None:
    assert route(AGENT).confirm
    assert not route(replace(AGENT, trust="fail")).confirm
    assert not route(Facts(kind="human", ticket_id=1, role="a", token_is_senders=True)).confirm


@given(mail=st.integers(1, 10**9), address=st.integers(1, 10**9), reject=st.booleans())
def test_a_release_and_a_rejection_never_pass_for_each_other(mail: int, address: int, reject: bool) -> None:
    whole = release_address(KEYS, mail, address, BASE, "plus", reject=reject)

    assert read_release_address(KEYS, whole, OURS, reject=reject) == (mail, address)
    assert read_release_address(KEYS, whole, OURS, reject=not reject) is None
    other = whole.replace("+h", "+j") if whole.startswith("support+h") else whole.replace("+j", "+h")
    assert isinstance(read_release_address(KEYS, other, OURS, reject=not reject), Forged)
