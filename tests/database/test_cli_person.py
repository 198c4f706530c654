"""`maild person`: what is kept of somebody is handed out, made nameless, or removed wholly."""

import base64
import json
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select, text

from maild.rebuilding import Rebuilding
from maild.store import raw
from maild.store.models import Base, MailRow, RawRow
from maild.works import rederiver
from tests.database.commands import Shell
from tests.stories.driver import ADA, ANNA, BEN, SUPPORT

NAMED = f"Ada Lovelace <{ADA}>"


@pytest.fixture
def desk(shell: Shell) -> Shell:
    """Ada has a ticket of her own, and takes part in Ben's, where somebody names her."""
    desk = shell.desk
    desk.mail(NAMED, "Ada's secret printer", "My name is Ada and my printer burns.\r\n")
    [asked] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Re: Ada's secret printer", "Dear Ada, use water.\r\n", answers=asked)
    desk.mail(BEN, "Screen", f"Ask {ADA.upper()} as well.\r\n", cc=NAMED, proven=True)
    asked = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, "Re: Screen", "Hello both.\r\n", answers=asked)
    answer = [each for each in desk.mails_to(ADA) if each.subject == "Re: Screen"][-1]
    desk.mail(NAMED, "Re: Screen", "Ada was here.\r\n", answers=answer)
    desk.clock.advance(hours=1)
    return shell


def everything_readable(shell: Shell) -> str:
    """All that a reader of the database could find, the bytes of mails unpacked."""
    found = []
    with shell.desk.database.read() as connection:
        for table in Base.metadata.sorted_tables:
            columns = [each for each in table.c if not isinstance(each.type, LargeBinary)]
            if table.name != RawRow.__tablename__ and columns:
                found += [str(tuple(row)) for row in connection.execute(select(*columns))]
        ids = connection.scalars(select(MailRow.id)).all()
        found += [each.decode("utf-8", "replace") for each in raw.of(connection, ids).values()]
        if shell.desk.database.is_sqlite:
            found += [str(row) for row in connection.execute(text("SELECT subject, text FROM mail_search"))]
    return "\n".join(found).lower()


def test_nothing_is_done_without_yes(desk: Shell) -> None:
    before = everything_readable(desk)
    for word in ("delete", "anonymise"):
        answer = desk("person", word, ADA)
        assert answer.status == 0
        assert "nothing was changed" in answer.out

    assert everything_readable(desk) == before


def test_a_person_is_removed_with_all_of_hers_and_struck_out_of_what_is_others(desk: Shell) -> None:
    said = desk("person", "delete", ADA, "--yes", "--json").data

    assert said["done"] is True
    assert said["tickets"] == [1]
    assert said["elsewhere"] == [2]
    left = everything_readable(desk)
    for secret in (ADA, "lovelace", "secret printer", "dear ada", "was here"):
        assert secret not in left, secret
    assert desk.desk.tickets() == [2]
    assert "hello both" in left
    assert desk("person", "delete", ADA).status == 65
    assert desk("db", "check").status == 0


def test_a_person_is_made_nameless_and_the_tickets_stay_for_the_figures(desk: Shell) -> None:
    history = len(desk.desk.history(1))
    desk("person", "anonymise", ADA, "--yes")

    left = everything_readable(desk)
    for secret in (ADA, "lovelace", "secret printer", "dear ada", "was here", "my printer burns"):
        assert secret not in left, secret
    assert desk.desk.tickets() == [1, 2]
    assert desk.desk.ticket(1).subject == "(deleted)"
    assert len(desk.desk.history(1)) == history
    assert desk("ticket", "show", 1).status == 0
    assert desk("log", 1).status == 0
    assert desk("db", "check").status == 0


def test_nothing_is_sent_or_filed_any_more_of_somebody_who_is_nameless(desk: Shell) -> None:
    desk.desk.post_office.down = "no route"
    desk.desk.mail(NAMED, "One more", "Not filed.\r\n", work=False)
    desk.desk.mail(NAMED, "And one", "Filed, nothing sent.\r\n")
    desk.desk.mail(NAMED, "Waits", "Not filed.\r\n", work=False)
    desk.desk.post_office.got.clear()
    desk("person", "anonymise", ADA, "--yes")
    desk.desk.post_office.down = ""
    desk.desk.wait(days=60)

    assert [each for each in desk.desk.post_office.got if "invalid" in each.recipient] == []
    assert not any(b"removed" in each.raw for each in desk.desk.post_office.got)
    assert desk("db", "check").status == 0


def test_a_nameless_database_is_still_what_its_history_says(desk: Shell) -> None:
    desk("person", "anonymise", ADA, "--yes")
    works = desk.desk
    reader = rederiver(works.settings, works.database, works.clock())
    found = Rebuilding(works.database, reader, works.clock(), lambda *_: None, only_look=True).run()

    assert [(each.table, each.id, each.columns) for each in found.first] == []


def test_addresses_that_were_signed_for_somebody_who_is_gone_prove_nothing(desk: Shell) -> None:
    old = next(each for each in desk.desk.post_office.got if each.recipient == ADA and each.subject == "Re: Screen")
    desk("person", "delete", ADA, "--yes")
    mail_id = desk.desk.mail("mallory@evil.example", "Re: Screen", "#x\r\n", to=old.reply_to)

    row = desk.desk.filed(mail_id)
    assert row.evidence["third_party"] or row.ticket_id != 2


def test_what_is_handed_out_is_hers_and_nobody_elses(desk: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ada.zip"
    said = desk("person", "export", ADA, file, "--json").data

    assert file.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(file) as archive:
        person = json.loads(archive.read("person.json"))
        tickets = json.loads(archive.read("tickets.json"))
        mails = {name: archive.read(name) for name in archive.namelist() if name.startswith("mails/")}
    assert person["person"]["name"] == "Ada Lovelace"
    assert [each["id"] for each in tickets["tickets"]] == [1, 2]
    assert len(mails) == said["mails"] == len(tickets["mails"])
    assert any(b"my printer burns" in each for each in mails.values())
    assert any(b"Dear Ada" in each for each in mails.values())
    assert not any(b"via Acme Support" in each for each in mails.values())
    assert desk("person", "export", ADA, file).status == 1


BASE64 = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
PASSED_ON = f"---------- Forwarded message ---------\r\nFrom: {NAMED}\r\nSubject: Toaster\r\n\r\nIt is cold.\r\n"


@pytest.mark.parametrize("word", ["delete", "anonymise"])
def test_she_is_found_wherever_somebody_or_something_wrote_her_down(desk: Shell, word: str) -> None:
    works = desk.desk
    encoded = base64.b64encode(f"Ask {ADA}, that is Ada Lovelace.\r\n".encode()).decode()
    there = works.mail(BEN, "Encoded", f"{encoded}\r\n", headers=BASE64, proven=True)
    works.mail(BEN, f"About {ADA.upper()}", "The subject says it.\r\n", proven=True)
    titled = works.mails_to(ANNA)[-1]
    works.mail(ANNA, "Re", f"#title Not {ADA} but Ada Lovelace\r\n", answers=titled, proven=True)
    works.mail(BEN, "Ids", "Look.\r\n", headers=f"References: <{ADA}>\r\n", proven=True)
    works.mail(ANNA, "Fwd: Toaster", PASSED_ON, proven=True)
    works.post_office.refusals[ADA] = f"450 4.2.2 <{ADA.title()}> is full"
    works.mail(NAMED, "Her own", "Hm.\r\n", proven=True)
    her_own = works.mails_to(ANNA)[-1]
    works.mail(ANNA, "Re", "#title Zanzibar\r\n", answers=her_own, proven=True)
    works.wait(minutes=20)
    works.post_office.refusals[ADA] = f"550 5.1.1 <{ADA.title()}> is unknown"
    works.wait(minutes=90)
    desk("person", word, ADA, "--yes")
    works.work()
    desk("person", word, ADA, "--yes")

    left = everything_readable(desk)
    assert [line for line in left.splitlines() if ADA in line or "lovelace" in line or "zanzibar" in line] == []
    assert "deleted@invalid, that is deleted@invalid" in left
    assert "not deleted@invalid but deleted@invalid" in left
    ids = "rowid" if works.database.is_sqlite else "id"
    with works.database.read() as connection:  # it is found by what is left of it
        assert connection.execute(text(f"SELECT 1 FROM mail_search WHERE {ids} = {there}")).all()
    reader = rederiver(works.settings, works.database, works.clock())
    found = Rebuilding(works.database, reader, works.clock(), lambda *_: None, only_look=True).run()
    assert [(each.table, each.id, each.columns) for each in found.first] == []


def test_somebody_whose_address_ends_in_hers_is_left_alone(desk: Shell) -> None:
    works = desk.desk
    works.mail(f"Can <can{ADA}>", "Mine", f"I am can{ADA}, or {ADA}.au.\r\n", cc=f"x-{ADA}", proven=True)
    before = everything_readable(desk).count(f"can{ADA}")
    desk("person", "delete", ADA, "--yes")

    left = everything_readable(desk)
    assert left.count(f"can{ADA}") == before
    assert f"{ADA}.au" in left
    number = works.tickets()[-1]
    assert ("requester", None, f"can{ADA}", "CustomerWrote") in works.history(number)
    assert "invalid" not in str(works.history(number))


@pytest.mark.parametrize("address", [ANNA, SUPPORT, "nobody@nowhere.example"])
def test_agents_and_strangers_are_not_removed(desk: Shell, address: str) -> None:
    assert desk("person", "delete", address, "--yes").status == 65
