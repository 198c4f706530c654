"""`maild ticket`: lists, shows, explains and changes tickets, on either database."""

import re
from datetime import timedelta

import pytest

from maild.rules.state import Status
from tests.clock import NOON
from tests.database.commands import HOSTILE, OBEYED, Shell
from tests.stories.driver import ADA, ANNA, BEN

KEYS = {
    "id",
    "subject",
    "status",
    "department",
    "requester",
    "requester_name",
    "assignee",
    "priority",
    "tags",
    "related",
    "language",
    "waiting_since",
    "target_at",
    "due_at",
    "next",
}


def answered(shell: Shell) -> None:
    """Let Ada ask and Anna answer."""
    shell.desk.mail(f"Ada <{ADA}>", "Printer on fire")
    [told] = shell.desk.mails_to(ANNA)
    shell.desk.clock.advance(hours=1)
    shell.desk.mail(ANNA, "Re: Printer on fire", "Use water.\r\n", answers=told)


def test_a_ticket_in_a_list_has_the_promised_keys(shell: Shell) -> None:
    shell.desk.mail(f"Ada <{ADA}>", "Printer on fire")
    shell.desk.clock.advance(minutes=5)
    answer = shell("ticket", "list", "--json")
    [ticket] = answer.data

    assert answer.kind == "ticket-list"
    assert set(ticket) == KEYS
    assert (ticket["id"], ticket["subject"], ticket["status"]) == (1, "Printer on fire", "new")
    assert (ticket["requester"], ticket["department"], ticket["assignee"]) == (ADA, "support", None)
    assert ticket["waiting_since"] == "2026-03-02T12:00:00Z"
    assert ticket["next"] == {"what": "tell agents", "at": ticket["due_at"]}
    assert answer.err == ""


def test_the_customer_who_waits_longest_comes_first(shell: Shell) -> None:
    shell.desk.mail(ADA, "first")
    shell.desk.clock.advance(hours=1)
    shell.desk.mail(BEN, "second")
    [told, _] = shell.desk.mails_to(ANNA)
    shell.desk.mail(ANNA, "Re: first", "done\r\n", answers=told)

    assert [each["id"] for each in shell("ticket", "list", "--json").data] == [2, 1]


def test_lists_are_filtered(shell: Shell) -> None:
    answered(shell)
    shell.desk.mail(BEN, "Other", to="sales@acme.example")

    def ids(*words: object) -> list[int]:
        return [each["id"] for each in shell("ticket", "list", "--json", *words).data]

    assert ids("--status", "answered") == [1]
    assert ids("--status", "answered", "--status", "new") == [2, 1]
    assert ids("--status", "closed") == []
    assert ids("--department", "sales") == [2]
    assert ids("--assignee", ANNA.upper()) == [1]
    assert ids("--assignee", "none") == [2]
    assert ids("--limit", 1) == [2]
    assert "more than 1" in shell("ticket", "list", "--limit", 1).err


def test_what_is_closed_or_put_aside_is_listed_on_demand(shell: Shell) -> None:
    shell.desk.mail(ADA, "old")
    shell("ticket", "set", 1, "--status", "closed")

    assert shell("ticket", "list", "--json").data == []
    assert shell("ticket", "list").err == "no tickets\n"
    assert [each["status"] for each in shell("ticket", "list", "--status", "all", "--json").data] == ["closed"]


def test_an_unknown_department_is_answered_with_those_that_there_are(shell: Shell) -> None:
    answer = shell("ticket", "list", "--department", "suport")

    assert answer.status == 1
    assert "there are: support, sales" in answer.err


def test_show_has_the_messages_each_with_the_id_of_its_mail(shell: Shell) -> None:
    answered(shell)
    answer = shell("ticket", "show", 1, "--json")
    messages = answer.data["messages"]

    assert answer.kind == "ticket"
    assert set(answer.data) > KEYS | {"participants", "merged_into", "follows", "created_at"}
    assert [each["purpose"] for each in messages][:2] == ["open", "acknowledgement_unproven"]
    assert [each["direction"] for each in messages if each["purpose"] == "answer"] == ["in", "out"]
    for each in messages:
        raw = shell("mail", "show", each["mail"], "--raw").out
        assert each["subject"] in raw or "=?" in raw
    [asked] = [each for each in messages if each["purpose"] == "open"]
    assert asked["from"] == {"name": "Ada", "address": ADA}
    assert asked["text"] == "It does not work."


def test_show_for_people_names_status_customer_and_what_comes_next(shell: Shell) -> None:
    answered(shell)
    out = shell("ticket", "show", 1).out

    assert "1: Printer on fire" in out
    assert "answered" in out
    # five days end on a Saturday
    assert "the customer is reminded on Mon 9 Mar, 09:00 UTC, unless he writes (in 6d)" in out
    assert re.search(r"first response +ended after 1h, nothing promised", out)
    assert f"Ada <{ADA}>" in out
    assert "Use water." in out


def test_show_names_the_clocks_with_what_was_promised(shell: Shell) -> None:
    text = shell.config.read_text().replace('name = "support"', 'name = "support"\nsla = "standard"', 1)
    shell.config.write_text(
        text + '[sla.standard]\nfirst_response = { normal = "4h" }\nresolution = { normal = "2d" }\n'
    )
    shell.desk.mail(f"Ada <{ADA}>", "Printer on fire")
    shell.desk.clock.advance(hours=5)

    clocks = shell("ticket", "show", 1, "--json").data["clocks"]
    out = shell("ticket", "show", 1).out

    assert [(each["kind"], each["outcome"], each["used_s"]) for each in clocks] == [
        ("first response", "late", 5 * 3600),
        ("resolution", "running", 5 * 3600),
    ]
    assert re.search(r"first response +late, 5h used, due Mon 2 Mar, 16:00 UTC", out)
    assert re.search(r"resolution +running, 5h used, due Wed 4 Mar, 12:00 UTC", out)


def test_the_history_names_each_change_with_actor_cause_and_mail(shell: Shell) -> None:
    answered(shell)
    answer = shell("ticket", "history", 1, "--json")
    history = answer.data["history"]

    assert answer.kind == "ticket-history"
    assert all(set(each) == {"at", "actor", "cause", "field", "old", "new", "mail"} for each in history)
    [change] = [each for each in history if each["field"] == "status" and each["old"] == "new"]
    assert (change["actor"], change["cause"], change["new"]) == (ANNA, "AgentWrote", "answered")
    assert change["mail"] is not None
    assert "new -> answered" in shell("ticket", "history", 1).out


@pytest.mark.parametrize(
    "words", [("ticket", "show"), ("ticket", "history"), ("mail", "show"), ("mail", "retry"), ("delivery", "cancel")]
)
def test_a_number_that_no_database_knows_is_wrongly_used(shell: Shell, words: tuple[str, ...]) -> None:
    answer = shell(*words, "99999999999999999999")

    assert answer.status == 2
    assert "99999999999999999999 is not in the range" in answer.err


@pytest.mark.parametrize("verb", ["show", "history"])
def test_a_ticket_that_is_not_there_is_told_with_the_newest(shell: Shell, verb: str) -> None:
    assert shell("ticket", verb, 7).err == "there is no ticket 7; there are no tickets yet\n"
    shell.desk.mail(ADA, "only")
    answer = shell("ticket", verb, 7)

    assert answer.status == 1
    assert answer.out == ""
    assert answer.err == "there is no ticket 7; the newest is 1 (maild ticket list)\n"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("resolved", Status.RESOLVED),
        ("closed", Status.CLOSED),
        ("spam", Status.SPAM),
        ("deleted", Status.DELETED),
        ("open", Status.OPEN),
    ],
)
def test_an_operator_changes_the_status_and_the_history_says_so(shell: Shell, word: str, status: Status) -> None:
    answered(shell)
    answer = shell("ticket", "set", 1, "--status", word)

    assert answer.status == 0
    assert answer.out == f"ticket 1: answered -> {status}\n"
    assert shell.desk.status(1) is status
    assert shell("ticket", "history", 1, "--json").data["history"][-1]["actor"] == "operator"


@pytest.mark.parametrize(("away", "back"), [("spam", "new"), ("deleted", "new"), ("closed", "open")])
def test_open_brings_a_ticket_back_from_wherever_it_is(shell: Shell, away: str, back: str) -> None:
    shell.desk.mail(ADA, "Printer")
    shell("ticket", "set", 1, "--status", away)
    answer = shell("ticket", "set", 1, "--status", "open", "--json")

    assert answer.data == [{"id": 1, "before": away, "status": back, "refused": None}]


def test_a_refusal_is_told_and_keeps_no_other_ticket_from_changing(shell: Shell) -> None:
    shell.desk.mail(ADA, "first")
    shell.desk.mail(BEN, "second")
    shell("ticket", "set", 1, "--status", "spam")
    answer = shell("ticket", "set", 1, 2, 9, "--status", "resolved", "--json")

    assert answer.status == 1
    assert [(each["id"], each["status"], each["refused"]) for each in answer.data] == [
        (1, "spam", "A ticket that is spam cannot be resolved."),
        (2, "resolved", None),
        (9, None, "There is no such ticket; the newest is 2."),
    ]
    assert answer.err.splitlines() == [
        "ticket 1: A ticket that is spam cannot be resolved.",
        "ticket 9: There is no such ticket; the newest is 2.",
    ]


def test_the_customer_is_told_of_what_an_operator_resolved(shell: Shell) -> None:
    answered(shell)
    shell.desk.mails_to(ADA)
    shell("ticket", "set", 1, "--status", "resolved")
    shell.desk.work()

    assert len(shell.desk.mails_to(ADA)) == 1


def test_a_ticket_is_postponed_in_the_time_of_its_department(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer")
    answer = shell("ticket", "set", 1, "--postpone-until", "tomorrow 9:00")

    assert answer.out == "ticket 1: new -> postponed\n"
    assert shell.desk.ticket(1).wake_at == NOON.replace(hour=9) + timedelta(days=1)


@pytest.mark.parametrize("when", ["gestern", "2020-01-01", "2bd 3bd", ""])
def test_a_time_that_is_none_is_refused(shell: Shell, when: str) -> None:
    shell.desk.mail(ADA, "Printer")
    answer = shell("ticket", "set", 1, "--postpone-until", when)

    assert answer.status == 1
    assert answer.err.startswith("ticket 1: ")
    assert shell.desk.status(1) is Status.NEW


def test_a_merged_ticket_is_an_alias_and_the_customer_in_it_is_not_forgotten(shell: Shell) -> None:
    answered(shell)
    shell.desk.mail(BEN, "Printer again")
    answer = shell("ticket", "set", 2, "--merge-into", 1)

    assert answer.out == "ticket 2: new -> merged\n"
    assert shell.desk.ticket(2).merged_into == 1
    assert shell.desk.status(1) is Status.OPEN
    found = shell("ticket", "show", 1, "--json").data
    assert found["merged_from"] == [2]
    assert [each["address"] for each in found["participants"]] == [BEN]


@pytest.mark.parametrize(
    ("ticket", "into", "why"),
    [
        (1, 1, "A ticket cannot be merged into itself."),
        (1, 9, "There is no ticket #9."),
        (1, 3, "Nothing can be merged into a ticket that is spam."),
        (1, 4, "Nothing can be merged into a ticket that is merged."),
        (4, 1, "This ticket was merged into #2"),
    ],
)
def test_a_merger_that_leads_nowhere_is_refused(shell: Shell, ticket: int, into: int, why: str) -> None:
    for number in range(1, 5):
        shell.desk.mail(f"c{number}@customer.example", f"Question {number}")
    shell("ticket", "set", 3, "--status", "spam")
    shell("ticket", "set", 4, "--merge-into", 2)
    before = shell.desk.status(ticket)
    answer = shell("ticket", "set", ticket, "--merge-into", into)

    assert answer.status == 1
    assert why in answer.err
    assert shell.desk.status(ticket) is before


@pytest.mark.parametrize("words", [("list",), ("show", 1), ("history", 1)])
def test_no_hostile_subject_reaches_the_terminal(shell: Shell, words: tuple[object, ...]) -> None:
    shell.desk.mail(f"{HOSTILE} <{ADA}>", HOSTILE, "text \x1b[2J\u202e\r\n")
    plain, as_json = shell("ticket", *words).out, shell("ticket", *words, "--json").out

    assert "[/b] [bad]" in plain
    assert not set(OBEYED) & set(plain)
    assert not set(OBEYED) & set(as_json)


def test_reading_takes_no_lock_while_the_daemon_writes(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer")
    with shell.desk.database.write():
        found = shell("ticket", "list", "--json").data

    assert [each["id"] for each in found] == [1]
