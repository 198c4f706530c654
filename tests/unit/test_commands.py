"""Agents steer tickets by words on top of a mail, and no typing error does anything."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.commands import WORDS, Block, Circumstances, Command, Fault, Syntax, parse, parse_request

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday, 14:00 in Tallinn
DESK = Circumstances(
    NOON,
    ZoneInfo("Europe/Tallinn"),
    lambda start, days: start + timedelta(days=days),
    agents={"anna": "anna@acme.example", "anna@acme.example": "anna@acme.example", "bert": "bert@acme.example"},
    departments={"sales": "sales", "support": "support"},
    canned={"greeting": "greeting"},
)
ANYBODY = Circumstances(NOON, UTC, lambda start, days: start + timedelta(days=days))


def said(text: str) -> list[tuple[str, object]]:
    """Return the commands of a block without faults."""
    block = parse(text, DESK)
    assert block.faults == ()
    return [(command.word, command.value) for command in block.commands]


def faults(text: str) -> tuple[Fault, ...]:
    block = parse(text, DESK)
    assert block.commands == ()
    return block.faults


def test_a_text_without_words_is_all_answer() -> None:
    assert parse("Hello Ada,\n\n#resolve is a word.\n", DESK) == Block(rest="Hello Ada,\n\n#resolve is a word.")
    assert parse("", DESK) == Block()


def test_a_block_is_read_and_the_answer_below_is_left_as_it_is() -> None:
    block = parse("\n#assign anna\n\n#tag printer, -urgent\n\n  Hello Ada,\n\n#not a word here\n> quoted\n", DESK)

    assert block.commands == (Command("assign", "anna@acme.example"), Command("tag", ("printer", "-urgent")))
    assert block.rest == "  Hello Ada,\n\n#not a word here\n> quoted"
    assert block.faults == ()


def test_the_status_word_is_done_last_and_the_others_in_their_order() -> None:
    assert said("#resolve\n#tag b\n#priority high\n#tag a") == [
        ("tag", ("b",)),
        ("priority", "high"),
        ("tag", ("a",)),
        ("resolve", None),
    ]


@pytest.mark.parametrize(
    "written",
    [
        "#resolve",
        "#Resolve",
        "#RESOLVE.",
        "  #resolve  ",
        "\u00a0#resolve\u00a0",
        "\u200b#resolve\ufeff",
        "＃resolve",
        "\\#resolve",
        "# resolve",
        "#resolve:",
        "> #resolve",
        ">#resolve\n>\n> ",
        "\r\n#resolve\r\n",
        "#resolve\n\n",
    ],
)
def test_a_word_is_understood_however_the_client_writes_it(written: str) -> None:
    assert said(written) == [("resolve", None)]
    assert parse(written, DESK).rest.strip() == ""


def test_words_in_a_quotation_are_not_the_writers() -> None:
    text = "> #resolve\n> #close\n\nNo, please leave it open."

    assert parse(text, DESK) == Block(rest=text)


def test_a_text_quoted_as_a_whole_is_the_writers_own() -> None:
    assert parse("> #resolve\n> Thank you,\n> Anna", DESK) == Block((Command("resolve"),), "Thank you,\nAnna")


@pytest.mark.parametrize(
    "text", ["# Summary\nAll is well.", "#1042 is yours", "#", "##resolve", "#-x", "#_x", "-#resolve"]
)
def test_signs_that_begin_no_word_begin_the_answer(text: str) -> None:
    assert parse(text, DESK) == Block(rest=text)


@pytest.mark.parametrize(
    ("line", "word", "value"),
    [
        ("#postpone 3h", "postpone", NOON + timedelta(hours=3)),
        ("#postpone tomorrow 9:00", "postpone", datetime(2026, 3, 3, 7, tzinfo=UTC)),
        ("#postpone “2026-03-05”", "postpone", datetime(2026, 3, 5, 7, tzinfo=UTC)),
        ("#assign me", "assign", "me"),
        ("#assign None", "assign", "none"),
        ("#assign Anna", "assign", "anna@acme.example"),
        ("#assign anna@acme.example<mailto:anna@acme.example>", "assign", "anna@acme.example"),
        ("#assign: “anna”", "assign", "anna@acme.example"),
        ("#assign = anna", "assign", "anna@acme.example"),
        ("#department Sales", "department", "sales"),
        ("#priority URGENT", "priority", "urgent"),
        ("#tag #Printer +fax –urgent", "tag", ("printer", "fax", "-urgent")),
        ("#tag drücker, 打印机", "tag", ("drücker", "打印机")),
        ("#cc bob@x.example; Carl Coe <carl@x.example>", "cc", ("bob@x.example", "carl@x.example")),
        ('#cc "Coe, Carl" <carl@x.example>, -bob@x.example', "cc", ("carl@x.example", "-bob@x.example")),
        ("#cc bob@x.example <mailto:bob@x.example> carl@x.example", "cc", ("bob@x.example", "carl@x.example")),
        ("#cc a@x.example -b@x.example 'c@x.example'.", "cc", ("a@x.example", "-b@x.example", "c@x.example")),
        ("#requester Ada <ada@x.example>", "requester", "ada@x.example"),
        ("#alias ada@x.example (mailto:ada@x.example)", "alias", "ada@x.example"),
        ("#title It’s “broken” – again: #2", "title", "It’s “broken” – again: #2"),
        ("#title “Broken”", "title", "Broken"),
        ("#merge #1042", "merge", (1042,)),
        ("#link 7, [#8] 9", "link", (7, 8, 9)),
        ("#split", "split", None),
        ("#split Another matter", "split", "Another matter"),
        ("#use greeting", "use", "greeting"),
        ("#get 1042 1043", "get", (1042, 1043)),
        ("#list open", "list", "open"),
        ("#search printer on fire", "search", "printer on fire"),
        ("#why", "why", None),
        ("#why 7", "why", (7,)),
        ("#report last-month", "report", "last-month"),
        ("#undo", "undo", None),
    ],
)
def test_a_word_takes_its_value(line: str, word: str, value: object) -> None:
    assert said(line) == [(word, value)]


def test_several_words_may_stand_on_one_line() -> None:
    assert said("#silent #resolve") == [("silent", None), ("resolve", None)]
    assert said("#assign anna #priority high #tag a #b #close") == [
        ("assign", "anna@acme.example"),
        ("priority", "high"),
        ("tag", ("a", "b")),
        ("close", None),
    ]


def test_a_note_may_begin_on_the_line_of_its_word() -> None:
    assert parse("#note Ada’s  boss called\nand was angry.", DESK) == Block(
        (Command("note"),), "Ada’s  boss called\nand was angry."
    )
    assert parse("#note\n#resolve\nAll is well.", DESK) == Block((Command("note"), Command("resolve")), "All is well.")
    long = "word " * 5000
    assert parse(f"#note {long}", DESK).rest == long.strip()


@pytest.mark.parametrize(
    ("line", "says", "suggestion"),
    [
        ("#reslove", "#reslove is no word that I know.", "#resolve"),
        ("# Solved", "#Solved is no word that I know.", "#resolve"),
        ("#trash", "#trash is no word that I know.", "#delete"),
        ("#customer bob@customer.example", "#customer is no word that I know.", "#requester bob@customer.example"),
        ("#xyzzy", "#xyzzy is no word that I know.", ""),
        (
            "#resolve Thank you",
            "It takes nothing behind it; put your answer on a line of its own.",
            "#resolve",
        ),
        (
            "#postpone someday",
            '"someday" is no time that I understand; write 3h, 2bd, tomorrow 9:00, friday or 2026-03-02 14:00.',
            "#postpone tomorrow 9:00",
        ),
        ("#priority hgih", "It is one of low, normal, high, urgent.", "#priority high"),
        ("#assign ana", '"ana" is not an agent.', "#assign anna"),
        ("#assign", "It needs an agent.", "#assign anna"),
        ("#department salse", '"salse" is not a department.', "#department sales"),
        ("#use gretting", '"gretting" is not a prepared text.', "#use greeting"),
        ("#cc bob", '"bob" is no address.', "#cc bob@customer.example"),
        ("#cc Bob <bob@x.example> Carl <carl@x.example>", '"Carl" is no address.', "#cc bob@customer.example"),
        ("#cc", "It needs an address.", "#cc bob@customer.example"),
        ("#requester a@x.example b@x.example", "It needs one address.", "#requester ada@customer.example"),
        ("#requester -a@x.example", "It needs one address.", "#requester ada@customer.example"),
        ("#cc a@x.example Bob <b@x.example>", '"Bob" is no address.', "#cc bob@customer.example"),
        ("#assign anna #prioriti high", "#prioriti is no word that I know.", "#priority high"),
        ("#merge 1 2", "It needs one ticket.", "#merge 1042"),
        ("#merge it", '"it" is no ticket; write its number, like 1042.', "#merge 1042"),
        ("#link 0", '"0" is no ticket; write its number, like 1042.', "#link 1042 1043"),
        ("#title", "It needs some words behind it.", "#title Printer on the third floor"),
        ("#tag $", '"$" is no tag; write one word of letters, digits and hyphens.', "#tag printer -urgent"),
        ("#title " + "x" * 301, "It takes 300 characters at most.", "#title Printer on the third floor"),
        ("#cc " + "x" * 3000, "It is too long.", "#cc bob@customer.example"),
        ("#assign anna\n#assign bert", "#assign is said 2 times.", ""),
        ("#resolve\n#close", "Only one of #resolve, #close can be done.", "#resolve"),
    ],
)
def test_a_fault_says_what_is_wrong_and_what_may_have_been_meant(line: str, says: str, suggestion: str) -> None:
    [fault] = faults(line)

    assert (fault.said, fault.suggestion) == (says, suggestion)


def test_one_fault_undoes_all_and_all_faults_are_told_at_once() -> None:
    block = parse("#assign anna\n#reslove\n#priority hot\n\nHello", DESK)

    assert block.commands == ()
    assert [fault.suggestion for fault in block.faults] == ["#resolve", "#priority high"]
    assert block.rest == "Hello"


def test_a_misspelt_note_is_never_an_answer() -> None:
    assert faults("#ntoe the customer is a bore")


def test_a_mail_of_nothing_but_words_has_no_answer() -> None:
    assert parse("#resolve\n#silent\n", DESK).rest == ""


def test_too_many_words_are_refused() -> None:
    for many in ("#tag a\n" * 40, "#tag a " * 40, "#xyzzy\n" * 40, "#note " * 100_000):
        assert faults(many)[0].said == "There are more than 30 words in one mail."


def test_names_are_left_to_the_caller_where_none_are_given() -> None:
    assert parse("#assign whoever\n#department moon", ANYBODY).commands == (
        Command("assign", "whoever"),
        Command("department", "moon"),
    )


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("next", Command("next")),
        ("Next", Command("next")),
        ("Re: next", Command("next")),
        ("#mine", Command("mine")),
        ("list open", Command("list", "open")),
        ("search printer", Command("search", "printer")),
        ("get #1042", Command("get", (1042,))),
        ("report last-month\n-- \nAnna", Command("report", "last-month")),
        ("\n\n help \nignored", Command("help")),
    ],
)
def test_the_desk_address_takes_a_request_with_or_without_its_sign(text: str, command: Command) -> None:
    assert parse_request(text, DESK) == Block((command,))


def test_the_desk_address_refuses_what_needs_a_ticket_and_what_it_does_not_know() -> None:
    [misplaced] = parse_request("resolve", DESK).faults
    assert misplaced.said == "#resolve is said in an answer to a ticket's mail, not here."
    assert parse_request("serach printer", DESK).faults[0].suggestion == "search printer"
    assert parse_request("serach printer", DESK).faults[0].said == '"serach" is no request that I understand.'
    assert parse_request("#serach printer", DESK).faults[0].said == "#serach is no word that I know."
    assert parse_request("", DESK) == Block()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1042", Command("get", (1042,))),
        ("#1042 1043", Command("get", (1042, 1043))),
        ("Show 1042", Command("get", (1042,))),
        ("find printer", Command("search", "printer")),
        ("commands", Command("help")),
        ("my tickets", Command("mine")),
        ("Open tickets?", Command("list")),
        ("unassigned", Command("list", "nobody")),
        ("What is next?", Command("next")),
        ("Ticket #1042", Command("get", (1042,))),
        ("show me 1042", Command("get", (1042,))),
        ("search for Printer", Command("search", "Printer")),
        ("how do I postpone a ticket?", Command("help", "postpone")),
        ("I'm back", Command("back")),
        ("Hello", Command("help")),
        ("?", Command("help")),
    ],
)
def test_the_desk_address_understands_other_words_for_the_same(written: str, meant: Command) -> None:
    assert parse_request(written, DESK) == Block((meant,))


@pytest.mark.parametrize("written", ["close 1042", "#resolve 1042", "assign 1042 bert", "note 1042 hi"])
def test_what_is_said_on_tickets_alone_is_told_as_such_at_the_desk_address(written: str) -> None:
    [misplaced] = parse_request(written, DESK).faults
    assert "is said in an answer to a ticket's mail, not here." in misplaced.said


@pytest.mark.parametrize(
    ("written", "word", "value"),
    [
        ("#assign to bert", "assign", "bert@acme.example"),
        ("#assign @bert", "assign", "bert@acme.example"),
        ("#department to sales", "department", "sales"),
        ("#merge with 1042", "merge", (1042,)),
        ("#merge into ticket #1042", "merge", (1042,)),
        ("#link to 7 8", "link", (7, 8)),
    ],
)
def test_a_small_word_before_the_value_does_not_matter(written: str, word: str, value: object) -> None:
    assert said(written) == [(word, value)]


def test_every_word_has_a_help_and_an_example_that_is_understood() -> None:
    for word in WORDS.values():
        assert word.help.endswith(".")
        block = parse(word.example, ANYBODY)
        assert block.faults == ()
        assert [command.word for command in block.commands] == [word.name]
        assert not word.name.startswith("#")


def test_the_table_holds_every_word_that_agents_are_promised() -> None:
    promised = (
        "note resolve close open postpone spam notspam delete undelete assign department priority tag cc requester "
        "alias title merge split link send use next pass release undo why get list search report help force silent"
    )

    assert set(promised.split()) <= set(WORDS)
    assert {word.syntax for word in WORDS.values()} == set(Syntax)


pieces = st.sampled_from(
    [*(f"#{name}" for name in WORDS), " ", "\n", "> ", "anna", "3h", "1042", "a@b.example", "-", "<", '"']
)


@given(st.text() | st.lists(pieces).map("".join) | st.text().map(lambda text: f"#note {text}"))
def test_no_text_makes_reading_fail_and_no_fault_leaves_a_command(text: str) -> None:
    for block in (parse(text, DESK), parse_request(text, DESK)):
        assert not (block.commands and block.faults)
        assert sum(WORDS[command.word].status for command in block.commands) <= 1
    assert parse(text, DESK) == parse(text, DESK)


@given(st.text(st.characters(blacklist_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_an_answer_below_a_block_is_never_changed(line: str) -> None:
    answer = f"Dear Ada,\n{line}\nAnna"

    assert parse(f"#resolve\n\n{answer}", DESK).rest == answer
    assert parse(answer, DESK).rest == answer


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("#reopen", "#open"),
        ("#Solved", "#resolve"),
        ("#snooze 3h", "#postpone 3h"),
        ("#urgent", "#priority urgent"),
        ("#erledigt", "#resolve"),
        ("#SCHLIESSEN", "#close"),
        ("#zurückstellen morgen 9 Uhr", "#postpone tomorrow 9:00"),
        ("#owner anna #prio high", "#assign anna\n#priority high"),
        ("#internal The part is here.", "#note The part is here."),
    ],
)
def test_words_of_other_desks_are_done_as_they_are_meant(written: str, meant: str) -> None:
    assert parse(written, DESK) == parse(meant, DESK)
    assert parse(written, DESK).commands
