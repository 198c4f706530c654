"""What commands print: nothing that a terminal obeys, columns that fit, JSON that is ASCII."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.cli import output
from tests.clock import NOON

ESC = "\x1b"
HOSTILE = {
    "title": f"{ESC}]0;pwned\x07subject",
    "colour": f"{ESC}[31mred{ESC}[0m",
    "c1": "\x9b31mred",
    "override": "invoice\u202egpj.exe",
    "isolate": "a\u2067b\u2069c",
    "line": "one\nAlarm: two\rthree\u2028four",
    "nothing": "zero\u200bwidth\ufeff\U000e0041tag",
    "null": "a\x00b",
    "half": "a\ud800b",
}


def obeyed(text: str) -> list[str]:
    """Return the characters of `text` that a terminal would do something for, but the end of a line."""
    return [
        char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and char != "\n"
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_mail_reaches_a_terminal_as_a_command(name: str) -> None:
    shown = output.printable(HOSTILE[name])

    assert obeyed(shown) == []
    assert "\n" not in shown


@given(st.text())
def test_any_text_becomes_one_line_that_is_only_looked_at(text: str) -> None:
    shown = output.printable(text)

    assert obeyed(shown) == []
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    "text", ["Printer on fire", "[/b] [bad] \\[x]", "Grüße", "日本語の件名", "مرحبا", "नमस्ते", "a  b"]
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert output.printable(text) == text


def test_accents_do_not_climb_into_other_lines() -> None:
    shown = output.printable("a" + "\u0301" * 50)

    assert shown == "a" + "\u0301" * output.MOST_MARKS


def test_a_text_of_several_lines_keeps_them() -> None:
    assert output.printable_lines("one\n\ttwo\n\n") == ["one", "        two"]


def test_a_table_is_columns_under_titles() -> None:
    shown = output.table(("id", "subject"), [(7, "Printer"), (1042, "")])

    assert shown.splitlines() == ["  ID  SUBJECT", "   7  Printer", "1042  -"]


@pytest.mark.parametrize("width", [80, 60, 40])
def test_a_table_fits_the_terminal_whatever_the_subject(width: int) -> None:
    rows = [(1, "open", "Ada Lovelace of a long name", subject * 20) for subject in (*HOSTILE.values(), "日本語")]

    shown = output.table(("id", "status", "requester", "subject"), rows, width=width)

    assert all(columns(line) <= width for line in shown.splitlines())
    assert "…" in shown


def test_what_may_be_cut_is_cut_before_the_rest() -> None:
    shown = output.table(
        ("at", "who", "said"), [("2026-03-02 12:00", "a" * 40, "b" * 40)], width=60, cut=("who", "said")
    )

    assert "2026-03-02 12:00" in shown
    assert all(len(line) <= 60 for line in shown.splitlines())


@pytest.mark.parametrize(
    ("number", "noun", "shown"),
    [(1, "mail", "1 mail"), (0, "mail", "0 mails"), (2, "delivery", "2 deliveries"), (2, "mailbox", "2 mailboxes")],
)
def test_things_are_counted_as_people_do(number: int, noun: str, shown: str) -> None:
    assert output.count(number, noun) == shown


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def test_a_table_in_a_pipe_cuts_nothing() -> None:
    subject = "word " * 100 + "end"

    assert output.table(("id", "subject"), [(1, subject)]).endswith("end")


def test_columns_stay_below_each_other_beside_wide_letters() -> None:
    lines = output.table(("a", "b"), [("日本", "x"), ("ab", "y")]).splitlines()

    assert [columns(line) for line in lines] == [7, 7, 7]


def test_json_is_ascii_and_has_one_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    output.envelope("ticket-list", [{"subject": HOSTILE["title"] + HOSTILE["override"], "at": NOON}])
    said = capsys.readouterr().out

    assert said.isascii()
    assert obeyed(said) == []
    assert json.loads(said) == {
        "maild": 1,
        "kind": "ticket-list",
        "data": [{"subject": HOSTILE["title"] + HOSTILE["override"], "at": "2026-03-02T12:00:00Z"}],
    }


def test_a_json_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_line({"text": "a\nb\u2028c"})

    assert capsys.readouterr().out.count("\n") == 1


def test_instants_are_utc_whatever_their_zone() -> None:
    at = datetime(2026, 3, 2, 14, 30, tzinfo=timezone(timedelta(hours=2)))

    assert output.instant(at) == "2026-03-02T12:30:00Z"
    assert output.moment(at) == "2026-03-02 12:30"
    assert output.instant(datetime(2026, 3, 2, 12, 30, 0, 5, UTC)) == "2026-03-02T12:30:00.000005Z"


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(seconds=120), "2m"),
        (timedelta(minutes=59), "59m"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=23, minutes=59), "23h"),
        (timedelta(days=1), "1d"),
        (timedelta(days=400), "400d"),
    ],
)
def test_a_span_is_told_in_its_largest_unit(length: timedelta, shown: str) -> None:
    assert output.span(length) == shown


def test_what_is_past_happens_now_and_what_is_not_known_is_a_dash() -> None:
    assert output.until(NOON, NOON) == "now"
    assert output.until(NOON + timedelta(days=2), NOON) == "in 2d"
    assert output.until(None, NOON) == output.since(None, NOON) == output.moment(None) == "-"


def test_values_without_content_are_left_out_of_a_list_of_values() -> None:
    assert (
        output.pairs([("subject", "a\x1bb"), ("cc", ""), ("next", None), ("n", 0)]) == "subject  a\ufffdb\nn        0"
    )


def test_colours_only_on_a_terminal_and_never_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    bold = output.table(("id",), [(1,)])
    monkeypatch.setenv("NO_COLOR", "1")
    plain = output.table(("id",), [(1,)])
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")

    assert ESC in bold
    assert ESC not in plain
    assert output.table(("id",), [(1,)]) == plain
