"""The figures of a period, from the mails of a desk to what the command and an agent's mail say."""

import csv
import io
from datetime import timedelta

from tests.database.commands import Shell
from tests.stories.driver import ADA, ANNA, BEN, BERT, Desk, Received


def a_day(desk: Desk) -> Received:
    """Let Ada and Ben ask, Anna answer Ada after two hours, and Ada be content; return Anna's first mail."""
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    [told] = desk.mails_to(ANNA)
    desk.clock.advance(hours=2)
    desk.mail(ANNA, told.subject, "#resolve\r\n\r\nPull the plug.\r\n", answers=told)
    desk.mail(f"Ben <{BEN}>", "No paper", proven=True)
    desk.mail(f"Ben <{BEN}>", "How much?", to="sales@acme.example", proven=True)
    return told


def test_the_command_says_what_came_in_and_what_was_solved(shell: Shell) -> None:
    a_day(shell.desk)
    found = shell("report", "today", "--json").data

    assert found["period"] == {"first": "2026-03-02", "last": "2026-03-02"}
    assert found["total"]["in"] == 3
    assert (found["total"]["solved"], found["total"]["answers"], found["total"]["backlog"]) == (1, 1, 2)
    assert found["total"]["first_response"]["median_s"] == found["total"]["resolution"]["median_s"] == 7200
    assert (found["departments"]["support"]["in"], found["departments"]["sales"]["in"]) == (2, 1)
    assert (found["agents"][ANNA]["answers"], found["agents"][BERT]["answers"]) == (1, 0)


def test_a_past_period_has_the_backlog_of_its_end(shell: Shell) -> None:
    a_day(shell.desk)
    [_, told, *_] = shell.desk.mails_to(BERT)
    shell.desk.clock.advance(days=2)
    shell.desk.mail(BERT, told.subject, "Buy some.\r\n", answers=told)
    shell.desk.mail(ADA, "Another one")

    assert shell("report", "2026-03-01", "--json").data["total"]["backlog"] == 0
    assert shell("report", "2026-03-02", "--json").data["total"]["backlog"] == 2
    assert shell("report", "2026-03-03", "--json").data["total"]["backlog"] == 2
    assert shell("report", "today", "--json").data["total"]["backlog"] == 2
    assert shell("report", "today", "--json").data["total"]["in"] == 1


def test_it_is_a_table_values_for_a_spreadsheet_or_a_page(shell: Shell, tmp_path) -> None:
    a_day(shell.desk)

    assert "2:00 h" in shell("report").out
    rows = list(csv.DictReader(io.StringIO(shell("report", "--csv").out)))
    assert [each["of"] for each in rows] == ["all", "department", "department", "agent", "agent"]
    assert rows[0]["first_response_median"] == "2:00 h"
    assert shell("report", "--html", tmp_path / "report.html").status == 0
    page = (tmp_path / "report.html").read_text()
    assert "<b>2:00 h</b>" in page
    assert "Acme Sales" in page


def test_one_department_alone(shell: Shell) -> None:
    a_day(shell.desk)
    found = shell("report", "today", "--department", "sales", "--json").data

    assert found["total"]["in"] == 1
    assert list(found["agents"]) == [BERT]
    assert "there are: support, sales" in shell("report", "--department", "x").err
    assert "is no period" in shell("report", "soon").err


def test_spam_is_in_no_figure(shell: Shell) -> None:
    shell.desk.mail(ADA, "Buy now")
    [told] = shell.desk.mails_to(ANNA)
    shell.desk.mail(ANNA, told.subject, "#spam\r\n", answers=told)

    assert shell("report", "today", "--json").data["total"]["in"] == 0


def test_an_agent_gets_the_figures_of_his_departments_and_his_own_by_mail(shell: Shell) -> None:
    desk = shell.desk
    told = a_day(desk)
    desk.clock.advance(days=1)
    desk.mails_to(ANNA)
    desk.mail(ANNA, "report yesterday", "\r\n", to=told.click("help")[0])
    [got] = desk.mails_to(ANNA)

    assert got.subject == "Report: yesterday"
    assert "Came in: 2" in got.text
    assert "First answer: half within 2:00 h" in got.text
    assert "Anna" in got.text
    assert "Acme Sales" not in got.text
    assert "Bert" not in got.text
    desk.mail(ANNA, "report soon", "\r\n", to=told.click("help")[0])
    assert "is no period" in desk.mails_to(ANNA)[0].text
    assert got.click("report last-month")[1] == "report last-month"


def test_figures_of_a_day_are_those_of_its_zone(shell: Shell) -> None:
    shell.desk.clock.advance(timedelta(hours=11, minutes=30))  # half past eleven at night
    shell.desk.mail(ADA, "Late")
    shell.desk.clock.advance(hours=1)

    assert shell("report", "yesterday", "--json").data["total"]["in"] == 1
    assert shell("report", "today", "--json").data["total"]["in"] == 0
