"""The Received field that a mail gets."""

from email import message_from_bytes

from maild.services.smtp_listener import trace
from tests.clock import NOON


def field(**given: object) -> bytes:
    values: dict[str, object] = {
        "name": "mx.customer.example",
        "peer": "192.0.2.1",
        "hostname": "desk.acme.example",
        "protocol": "ESMTPS",
        "recipients": ["support@acme.example"],
        "at": NOON,
    }
    return trace.received(**(values | given))  # type: ignore[arg-type]  # some of them are wrong on purpose


def test_it_says_who_came_how_and_when() -> None:
    assert field() == (
        b"Received: from mx.customer.example ([192.0.2.1])\r\n"
        b"\tby desk.acme.example (maild) with ESMTPS\r\n"
        b"\tfor <support@acme.example>;\r\n"
        b"\tMon, 02 Mar 2026 12:00:00 +0000\r\n"
    )


def test_several_recipients_are_not_given_away_to_each_other() -> None:
    assert b"for" not in field(recipients=["a@acme.example", "b@acme.example"])


def test_an_address_of_ipv6_is_marked_and_none_is_left_out() -> None:
    assert b"([IPv6:2001:db8::1])" in field(peer="2001:db8::1")
    assert b"from mx.customer.example\r\n" in field(peer="")


def test_no_client_can_forge_a_field_by_its_name() -> None:
    raw = field(name="x\r\nX-Forged: yes\r\n\r\nbody (\udcff\u2028" + "y" * 1000)

    message = message_from_bytes(raw + b"\r\n")
    assert message.keys() == ["Received"]
    assert not message.get_payload()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998


def test_a_recipient_beyond_ascii_is_not_named() -> None:
    assert b"for" not in field(recipients=["ü@acme.example"])
