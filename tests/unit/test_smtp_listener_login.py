"""What a client says of itself when it logs in, and how often it may be wrong."""

import base64

import pytest

from maild.services.smtp_listener.gate import FAILED_LOGINS_S, MOST_FAILED_LOGINS, Gate, Limits
from maild.services.smtp_listener.login import Credentials, decoded, plain

MALLORY = "198.51.100.7"


def base(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("said", "credentials"),
    [
        ("\0anna\0secret", ("anna", "secret")),
        ("anna\0anna\0secret", ("anna", "secret")),
        ("\0änna\0sécret", ("änna", "sécret")),
        ("\0anna\0", ("anna", "")),
        ("bert\0anna\0secret", None),
        ("anna\0secret", None),
        ("\0\0secret", None),
        ("\0anna\0secret\0more", None),
    ],
)
def test_plain_is_name_and_password_of_one_person(said: str, credentials: tuple[str, str] | None) -> None:
    assert plain(base(said)) == credentials


@pytest.mark.parametrize("answer", ["", "%", "YWJj=", "ünf", "/w=="])
def test_what_is_no_text_in_base64_is_no_login(answer: str) -> None:
    assert plain(answer) is None


def test_an_empty_answer_is_written_as_one() -> None:
    assert decoded("=") == ""
    assert decoded("*") is None


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(Credentials("anna", "secret"))


def test_a_client_that_fails_often_has_to_wait() -> None:
    gate = Gate(Limits())
    for number in range(MOST_FAILED_LOGINS):
        assert gate.may_log_in(MALLORY, number)
        gate.login_failed(MALLORY, number)

    assert not gate.may_log_in(MALLORY, 60)
    assert gate.may_log_in("198.51.100.8", 60)
    assert gate.may_log_in(MALLORY, FAILED_LOGINS_S + 1)


def test_this_machine_speaks_for_many_and_is_not_counted() -> None:
    gate = Gate(Limits())
    for _ in range(2 * MOST_FAILED_LOGINS):
        gate.login_failed("127.0.0.1", 0)

    assert gate.may_log_in("127.0.0.1", 1)
