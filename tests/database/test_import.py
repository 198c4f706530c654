"""Old mail from elsewhere: every mail once, with its own dates, and nobody is written to."""

import mailbox
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.importers import files
from maild.rules.state import Status
from tests.database.commands import Shell
from tests.stories.driver import ADA

OLD = """\
From ada@customer.example Mon Mar  2 09:30:00 2020
Received: from x by mx.acme.example; Mon, 2 Mar 2020 10:30:00 +0100
From: Ada Lovelace <ada@customer.example>
To: support@acme.example
Message-ID: <1@customer.example>
Subject: Printer on fire

It burns.
>From what I see.

From ada@customer.example Tue Mar  3 09:30:00 2020
From: Ada Lovelace <ada@customer.example>
To: support@acme.example
Message-ID: <2@customer.example>
In-Reply-To: <1@customer.example>
Subject: Re: Printer on fire

Still.

From - Wed Mar  4 09:30:00 2020
From: Ben <ben@customer.example>
To: sales@acme.example
Subject: A price
Date: Wed, 4 Mar 2020 09:00:00 +0000

How much?
"""


def test_old_mail_becomes_resolved_tickets_in_silence(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "old.mbox"
    file.write_text(OLD)
    answer = shell("import", "mbox", file)
    shell.desk.work()

    assert answer.status == 0, answer.err
    assert answer.out == f"{file}: 3 mails, 3 new, 0 there already\n"
    assert [shell.desk.status(each) for each in shell.desk.tickets()] == [Status.RESOLVED] * 2
    assert shell.desk.ticket(1).created_at == datetime(2020, 3, 2, 9, 30, tzinfo=UTC)
    assert shell.desk.post_office.got == []
    assert "From what I see." in shell("ticket", "show", 1).out
    assert len(shell("ticket", "show", 1, "--json").data["messages"]) == 2

    again = shell("import", "mbox", file, "--json")
    assert again.data == [{"file": str(file), "mails": 3, "new": 0, "known": 3, "too_long": []}]
    shell.desk.wait(days=60)
    assert shell.desk.post_office.got == []


def test_what_broke_off_goes_on_and_a_customer_who_writes_again_has_his_ticket(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "old.mbox"
    half = OLD.index("From - Wed")
    file.write_text(OLD[:half])
    shell("import", "mbox", file)
    file.write_text(OLD)

    assert "3 mails, 1 new, 2 there already" in shell("import", "mbox", file).out
    shell.desk.work()
    shell.desk.mail(ADA, "Re: Printer on fire", headers="References: <1@customer.example>")
    assert shell.desk.tickets() == [1, 2]
    assert shell.desk.status(1) is Status.OPEN


def test_a_maildir_is_brought_in_oldest_first(shell: Shell, tmp_path: Path) -> None:
    folder = mailbox.Maildir(tmp_path / "old")
    for number, day in ((2, 3), (1, 2)):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = ADA, "support@acme.example", f"Number {number}"
        mail["Date"] = f"Mon, {day} Mar 2020 09:00:00 +0000"
        mail.set_content("x")
        folder.add(mail)
    folder.close()
    answer = shell("import", "maildir", tmp_path / "old", "--department", "sales")
    shell.desk.work()

    assert "2 mails, 2 new" in answer.out
    assert [shell.desk.ticket(each).subject for each in shell.desk.tickets()] == ["Number 1", "Number 2"]
    assert {shell.desk.ticket(each).department for each in shell.desk.tickets()} == {"sales"}


def test_what_is_no_mbox_or_no_department_is_told(shell: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("Dear diary,\n")

    assert "no mbox" in shell("import", "mbox", wrong).err
    assert shell("import", "maildir", tmp_path).status == 1
    assert shell("import", "mbox", wrong, "--department", "none").status == 78


def test_a_mail_that_is_too_long_is_told_and_the_others_come(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 200)
    file = tmp_path / "old.mbox"
    file.write_text(OLD)
    answer = shell("import", "mbox", file)

    assert answer.status == 1
    assert f"{file}:1: too long, left out" in answer.err
    assert "3 mails, 2 new" in answer.out


def test_dates_that_make_no_sense_are_no_dates(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "old.mbox"
    file.write_text("From x Mon Mar  2 09:00:00 2093\nSubject: from the future\nFrom: ada@customer.example\n\nx\n")
    shell("import", "mbox", file)
    shell.desk.work()

    assert shell.desk.ticket(1).created_at == shell.desk.clock()
    assert shell.desk.post_office.got == []


SEPARATOR = "From x Mon Mar  2 09:00:00 2020"
LINES = st.lists(st.sampled_from(["", "From me to you", ">From x", SEPARATOR, "text", ">>From y"]), max_size=8)
Folders = pytest.TempPathFactory


@given(st.lists(LINES, min_size=1, max_size=5))
def test_every_mail_that_a_program_wrote_is_read_back(tmp_path_factory: Folders, mails: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("mbox") / "box"
    wanted = []
    with path.open("w") as file:
        for number, lines in enumerate(mails):
            body = "\n".join([f"Subject: {number}", "", *lines, "end"]) + "\n"
            wanted.append(body.encode())
            quoted = re.sub(r"(?m)^(>*From )", r">\1", body)
            file.write(f"{SEPARATOR}\n{quoted}\n")

    assert [each.raw for each in files.mbox(path)] == wanted


@given(st.binary(max_size=2000))
def test_nothing_in_a_file_is_an_error_but_that_it_is_no_mbox(tmp_path_factory: Folders, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("mbox") / "box"
    path.write_bytes(b"From x Mon Mar  2 09:00:00 2020\n" + raw)

    assert list(files.mbox(path))
    files.when(raw)
