"""Signed addresses prove what they say, and nothing else does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.address import normalise, valid
from maild.message.tokens import (
    RETIRED_KEY_LIFE,
    Forged,
    Key,
    Keys,
    Role,
    Token,
    any_signed_part,
    bounce_address,
    fits,
    may_be_signed,
    message_id,
    read,
    read_bounce_address,
    read_message_id,
    read_release_address,
    release_address,
    reply_address,
    sign,
    signed_part,
)

KEYS = Keys(Key("k", b"a secret of thirty-two bytes....."))
OTHER = Keys(Key("k", b"another secret of the same length"))
OURS = frozenset({"support@acme.example", "desk.acme.example"})
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOKEN = Token(1042, Role.CUSTOMER, 7)

ids = st.integers(0, 10**9)
tokens = st.builds(Token, ids, st.sampled_from(Role), ids)


@given(tokens)
def test_what_was_signed_is_read_back(token: Token) -> None:
    assert read(KEYS, sign(KEYS, token)) == token
    assert read(KEYS, sign(KEYS, token).upper()) == token


@given(
    st.sampled_from(
        (
            reply_address("support@acme.example", sign(KEYS, TOKEN), "plus"),
            reply_address("any@desk.acme.example", sign(OTHER, TOKEN), "catch-all"),
            bounce_address(KEYS, 93, "support@acme.example", "plus"),
            release_address(KEYS, 17, 5, "support@acme.example", "plus"),
            release_address(KEYS, 17, 5, "any@desk.acme.example", "catch-all", reject=True),
        )
    ),
    st.data(),
)
def test_whatever_is_read_of_an_address_could_be_told_beforehand(address: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(address)))
        end = data.draw(st.integers(start, min(start + 3, len(address))))
        piece = data.draw(
            st.sampled_from(("", "+", "%2B", "=2b", "=40", "<", '"', " ", "mailto:", "prvs=1a=", "7", "T"))
        )
        address = address[:start] + piece + address[end:]
    readings = (
        any(read(KEYS, part) is not None for part in (signed_part(address, OURS), any_signed_part(address)) if part),
        read_bounce_address(KEYS, address, OURS) is not None,
        read_release_address(KEYS, address, OURS) is not None,
        read_release_address(KEYS, address, OURS, reject=True) is not None,
    )

    assert may_be_signed(address) or not any(readings)
    assert may_be_signed(address.upper()) or not any(readings)


@given(
    st.integers(0, 9_999_999), st.sampled_from(Role), st.integers(0, 9_999_999), st.sampled_from(["plus", "catch-all"])
)
def test_a_signed_address_is_read_back_from_either_form(ticket: int, role: Role, address: int, form: str) -> None:
    base = "support@acme.example" if form == "plus" else "any@desk.acme.example"
    whole = reply_address(base, sign(KEYS, Token(ticket, role, address)), form)  # type: ignore[arg-type]

    part = signed_part(whole, OURS)
    assert part is not None
    assert read(KEYS, part) == Token(ticket, role, address)
    assert len(whole.partition("@")[0]) <= 64
    assert valid(whole)


@given(tokens, st.data())
def test_one_changed_character_is_never_believed(token: Token, data: st.DataObject) -> None:
    signed = sign(KEYS, token)
    at = data.draw(st.integers(0, len(signed) - 1))
    instead = data.draw(st.characters().filter(lambda char: char.lower() != signed[at] or not char.isascii()))

    changed = signed[:at] + instead + signed[at + 1 :]
    assert not isinstance(read(KEYS, changed), Token)


@given(tokens, st.integers(0, 59))
def test_a_token_cut_short_is_never_believed(token: Token, length: int) -> None:
    signed = sign(KEYS, token)

    if length < len(signed):
        assert not isinstance(read(KEYS, signed[:length]), Token)


@given(st.text() | st.from_regex(r"\A[tbm][0-9]{1,20}\.[a-z0-9]{0,5}[0-9]{0,20}\.?[a-z0-9]{0,30}@?[a-z.]{0,9}\Z"))
def test_no_text_makes_reading_fail_or_passes_for_proof(text: str) -> None:
    assert not isinstance(read(KEYS, text, NOON), Token)
    assert not isinstance(read_message_id(KEYS, text, NOON), int)
    assert not isinstance(read_bounce_address(KEYS, text, OURS, NOON), int)
    for part in (signed_part(text, OURS), any_signed_part(text)):
        assert part is None or not isinstance(read(KEYS, part), Token)
    normalise(text)
    valid(text)


def test_the_secret_decides() -> None:
    assert isinstance(read(KEYS, sign(OTHER, TOKEN)), Forged)


def test_one_kind_of_proof_is_never_another() -> None:
    mac = sign(KEYS, TOKEN).rpartition(".")[2]
    own_id = message_id(KEYS, 1042, "c7", "acme.example")

    assert isinstance(read_message_id(KEYS, f"m1042.c7.{mac}@acme.example"), Forged)
    assert isinstance(read(KEYS, f"t1042.c7.{own_id.partition('@')[0].rpartition('.')[2]}"), Forged)
    assert isinstance(read_bounce_address(KEYS, f"support+b1042.{mac}@acme.example", OURS), Forged)
    for role in Role:
        if role is not TOKEN.role:
            assert isinstance(read(KEYS, f"t1042.{role}7.{mac}"), Forged)


def test_ten_thousand_guesses_prove_nothing_and_all_look_alike() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    answers = {
        read(KEYS, f"t1042.c7.k{''.join(letters[(guess * (place + 3) + place) % 32] for place in range(26))}")
        for guess in range(10_000)
    }

    assert answers == {Forged("token for ticket 1042: the signature is wrong")}


def test_a_retired_key_is_believed_for_a_while_and_signs_no_more() -> None:
    old = Key("a", b"the secret of the year before ...", retired_at=NOON)
    keys = Keys(KEYS.current, (old,))
    signed = sign(Keys(old), TOKEN)

    assert sign(keys, TOKEN) == sign(KEYS, TOKEN)
    assert read(keys, signed) == TOKEN
    assert read(keys, signed, NOON + RETIRED_KEY_LIFE) == TOKEN
    assert read(keys, signed, NOON + RETIRED_KEY_LIFE + timedelta(seconds=1)) == Forged(
        "token for ticket 1042: key a was retired too long ago"
    )
    assert read(KEYS, signed) == Forged("token for ticket 1042: key a is unknown")


@pytest.mark.parametrize(
    "written",
    [
        "support+{}@acme.example",
        " <support+{}@ACME.example> ",
        "SUPPORT+{}@acme.example.",
        '"support+{}"@acme.example',
        "support=2B{}@acme.example",
        "support%2b{}@acme.example",
        "support%2b{}%40acme.example",
        "mailto:support+{}@acme.example",
        "{}@desk.acme.example",
        "anything+{}@desk.acme.example",
    ],
)
def test_an_address_is_recognised_after_what_relays_and_clients_do_to_it(written: str) -> None:
    signed = sign(KEYS, TOKEN)

    for spelling in (signed, signed.upper()):
        part = signed_part(written.format(spelling), OURS)
        assert part is not None
        assert read(KEYS, part) == TOKEN


@pytest.mark.parametrize(
    "address", ["support@acme.example", "ada@customer.example", "t1042.c7.x@customer.example", "", "@"]
)
def test_addresses_of_others_have_no_signed_part(address: str) -> None:
    part = signed_part(address, OURS)

    assert part is None


@given(ids, st.sampled_from(["plus", "catch-all"]))
def test_a_bounce_address_names_its_delivery(delivery: int, form: str) -> None:
    base = "support@acme.example" if form == "plus" else "any@desk.acme.example"
    whole = bounce_address(KEYS, delivery, base, form)  # type: ignore[arg-type]

    assert read_bounce_address(KEYS, whole, OURS) == delivery
    assert read_bounce_address(KEYS, whole.upper(), OURS) == delivery
    assert read_bounce_address(KEYS, f"prvs=0123456789={whole}", OURS) == delivery
    assert read_bounce_address(KEYS, f"btv1==0123456789=={whole}", OURS) == delivery
    assert isinstance(read_bounce_address(OTHER, whole, OURS), Forged)


@given(ids, st.from_regex(r"\A[a-z0-9]{1,40}\Z"), st.data())
def test_a_message_id_proves_its_ticket_and_a_changed_one_does_not(
    ticket: int, nonce: str, data: st.DataObject
) -> None:
    whole = message_id(KEYS, ticket, nonce, "acme.example")
    at = data.draw(st.integers(0, whole.index("@") - 1))
    instead = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789.").filter(lambda char: char != whole[at]))

    assert read_message_id(KEYS, whole) == ticket
    assert read_message_id(KEYS, f"<{whole.upper()}>") == ticket
    assert not isinstance(read_message_id(KEYS, whole[:at] + instead + whole[at + 1 :]), int)


def test_a_local_part_too_long_to_sign_is_refused_beforehand() -> None:
    assert fits("support@acme.example", "plus")
    assert not fits("the-very-long-name-of-a-department@acme.example", "plus")
    assert fits("the-very-long-name-of-a-department@acme.example", "catch-all")
    with pytest.raises(ValueError, match="too long"):
        reply_address("the-very-long-name-of-a-department@acme.example", sign(KEYS, TOKEN), "plus")


def test_keys_that_cannot_be_told_apart_or_are_weak_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        Keys(KEYS.current, (OTHER.current,))
    with pytest.raises(ValueError, match="shorter"):
        Key("k", b"short")
    with pytest.raises(ValueError, match="letter or digit"):
        Key("K", b"a secret that is long enough ....")
    assert "secret" not in repr(KEYS)
