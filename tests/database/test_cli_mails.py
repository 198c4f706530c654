"""`maild mail` and `maild delivery`: what came in and went out, and having it done again."""

import json

import pytest
from sqlalchemy import func, select, update

from maild.store.models import DeliveryRow, DeliveryState, HistoryRow, MailRow, MailState
from tests.database.commands import HOSTILE, OBEYED, Shell
from tests.stories.driver import ADA, ANNA, BEN, SUPPORT

MAIL = {
    "id",
    "direction",
    "state",
    "kind",
    "purpose",
    "ticket",
    "from",
    "recipients",
    "subject",
    "stored_at",
    "size",
    "reason",
}
DELIVERY = {
    "id",
    "state",
    "mail",
    "ticket",
    "recipient",
    "automatic",
    "attempts",
    "created_at",
    "due_at",
    "ended_at",
    "reply",
    "purpose",
    "subject",
}


def set_aside(shell: Shell, mail_id: int) -> None:
    """Leave a mail as the filer does that has failed too often."""
    with shell.desk.database.write() as connection:
        connection.execute(
            update(MailRow)
            .where(MailRow.id == mail_id)
            .values(state=MailState.FAILED, due_at=None, attempts=3, reason="filing failed 3 times")
        )


def test_a_mail_in_a_list_has_the_promised_keys(shell: Shell) -> None:
    shell.desk.mail(f"Ada <{ADA}>", "Printer on fire")
    answer = shell("mail", "list", "--json")
    mail = answer.data[-1]

    assert answer.kind == "mail-list"
    assert all(set(each) == MAIL for each in answer.data)
    assert (mail["id"], mail["direction"], mail["state"], mail["kind"]) == (1, "in", "filed", "human")
    assert mail["from"] == {"name": "Ada", "address": ADA}
    assert mail["ticket"] == 1


def test_mails_are_listed_newest_first_and_filtered(shell: Shell) -> None:
    shell.desk.mail(ADA, "one")
    shell.desk.mail(BEN, "two", headers="Auto-Submitted: auto-generated")

    def ids(*words: object) -> list[int]:
        return [each["id"] for each in shell("mail", "list", "--json", *words).data]

    assert ids() == sorted(ids(), reverse=True)
    assert ids("--kind", "auto") == [max(ids("--state", "filed"))]
    assert set(ids("--ticket", 1)) < set(ids())
    assert set(ids("--state", "filed")) | set(ids("--state", "out")) == set(ids())
    assert len(ids("--limit", 2)) == 2
    assert shell("mail", "list", "--state", "failed").err == "no mails\n"


def test_a_mail_is_shown_with_what_was_decided_and_why(shell: Shell) -> None:
    mail_id = shell.desk.mail(f"Ada <{ADA}>", "Printer on fire", "It burns.\r\n-- \r\nAda\r\n")
    answer = shell("mail", "show", mail_id, "--json")
    found = answer.data

    assert answer.kind == "mail"
    assert set(found) >= MAIL | {
        "source",
        "envelope_from",
        "message_id",
        "evidence",
        "text",
        "attachments",
        "deliveries",
    }
    assert found["text"] == "It burns."
    assert found["evidence"]["why"] == found["reason"] == "a new request"
    assert found["message_id"] == "mail-1@client.example"
    out = shell("mail", "show", mail_id).out
    assert "a new request" in out
    assert "It burns." in out


def test_a_mail_of_ours_is_shown_with_its_words_and_its_deliveries(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer on fire")
    [ours] = [each for each in shell("mail", "list", "--state", "out", "--json").data if ADA in each["recipients"]]
    found = shell("mail", "show", ours["id"], "--json").data

    assert "somebody will read it and answer it" in found["text"]
    assert [(each["recipient"], each["state"]) for each in found["deliveries"]] == [(ADA, "sent")]


def test_raw_gives_the_mail_itself(shell: Shell) -> None:
    raw = b"From: ada@customer.example\r\nSubject: bytes\r\n\r\n\x00\x1b[2J\r\n.\r\n"
    mail_id = shell.desk.deliver(raw, ADA, SUPPORT)
    answer = shell("mail", "show", mail_id, "--raw")

    assert answer.status == 0
    assert answer.out.encode() == raw


def test_a_mail_that_was_set_aside_is_found_and_filed_again(shell: Shell) -> None:
    mail_id = shell.desk.mail(ADA, "Printer", work=False)
    set_aside(shell, mail_id)
    [failed] = shell("mail", "list", "--state", "failed", "--json").data
    answer = shell("mail", "retry", mail_id, "--json")
    shell.desk.work()

    assert failed["reason"] == "filing failed 3 times"
    assert answer.data == [{"id": mail_id, "before": "failed", "state": "stored", "refused": None}]
    assert shell.desk.filed(mail_id).state is MailState.FILED


def test_what_did_not_fail_is_not_filed_again(shell: Shell) -> None:
    filed = shell.desk.mail(ADA, "Printer")
    held = shell.desk.mail(ANNA, "no proof")
    set_aside(shell, shell.desk.mail(BEN, "broken", work=False))
    [ours, *_] = [each["id"] for each in shell("mail", "list", "--state", "out", "--json").data]
    answer = shell("mail", "retry", filed, held, ours, 999)

    assert answer.status == 1
    assert answer.out == ""
    assert [line.split(": ", 1)[1] for line in answer.err.splitlines()] == [
        "it is on ticket 1 already",
        "it is held, filing it did not fail",
        "it is ours; see its deliveries: maild delivery list",
        "there is no such mail; the newest is " + str(shell("mail", "list", "--json").data[0]["id"]),
    ]


def test_a_held_mail_is_released_and_then_filed(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer", proven=True)
    [told] = shell.desk.mails_to(ANNA)
    shell.desk.mails_to(ADA)
    failed = "Authentication-Results: mx.acme.example; dmarc=fail header.from=acme.example"
    mail_id = shell.desk.mail(ANNA, told.subject, "Pull the plug.", answers=told, headers=failed)
    answer = shell("mail", "release", mail_id, "--json")
    shell.desk.work()

    assert answer.kind == "mail-release"
    assert answer.data == [{"id": mail_id, "before": "held", "state": "stored", "refused": None}]
    assert shell.desk.filed(mail_id).state is MailState.FILED
    assert "Pull the plug." in shell.desk.mails_to(ADA)[0].text
    assert shell("mail", "show", mail_id, "--json").data["released_by"] == "operator"
    assert any(each["field"] == "released" for each in shell("ticket", "history", 1, "--json").data["history"])


def test_a_held_mail_is_rejected_for_good(shell: Shell) -> None:
    mail_id = shell.desk.mail(ANNA, "no proof")
    answer = shell("mail", "reject", mail_id)

    assert answer.out == f"mail {mail_id}: held -> noted\n"
    assert shell("mail", "show", mail_id, "--json").data["reason"].startswith("rejected by operator; it was held: ")
    assert shell("mail", "release", mail_id).err == f"mail {mail_id}: it is noted, not held\n"


def test_only_what_is_held_is_released(shell: Shell) -> None:
    filed = shell.desk.mail(ADA, "Printer")
    [ours, *_] = [each["id"] for each in shell("mail", "list", "--state", "out", "--json").data]
    answer = shell("mail", "release", filed, ours, 999)

    assert answer.status == 1
    assert [line.split(": ", 1)[1] for line in answer.err.splitlines()] == [
        "it is filed, not held",
        "it is ours",
        "there is no such mail",
    ]


def test_a_mail_that_is_not_there_is_told_with_the_newest(shell: Shell) -> None:
    shell.desk.mail(ADA, "Printer", work=False)
    answer = shell("mail", "show", 99)

    assert answer.status == 1
    assert answer.err == "there is no mail 99; the newest is 1 (maild mail list)\n"


@pytest.mark.parametrize(
    "words", [("mail", "list"), ("mail", "show", 1), ("delivery", "list"), ("mail", "explain"), ("mail", "parse")]
)
def test_no_hostile_mail_reaches_the_terminal(shell: Shell, words: tuple[object, ...]) -> None:
    shell.desk.post_office.refusals[ADA] = "451 [/b] [bad] \x1b[31m\u202e\r later"
    shell.desk.mail(f"{HOSTILE} <{ADA}>", HOSTILE, "text \x1b[2J\u202e\r\n", headers=f"Cc: {HOSTILE} <{BEN}>")
    file = shell.config.with_name("\x1b[31mevil.eml")
    file.write_bytes(f"From: {HOSTILE} <{ADA}>\r\nSubject: {HOSTILE}\r\n\r\n\x1b[2J\x9b\u202e\r\n".encode())
    words = (*words, file) if words[1] in ("explain", "parse") else words
    plain, as_json = shell(*words).out, shell(*words, "--json").out

    assert "[/b] [bad]" in plain
    assert not set(OBEYED) & set(plain)
    assert not set(OBEYED) & set(as_json)


def test_explain_says_what_would_become_of_a_mail_and_changes_nothing(shell: Shell) -> None:
    shell.desk.mail(f"Ada <{ADA}>", "Printer on fire")
    [told] = shell.desk.mails_to(ANNA)
    file = shell.config.with_name("answer.eml")
    file.write_text(
        f"From: Anna <{ANNA}>\nTo: {told.reply_to}\nSubject: Re: Printer\nMessage-ID: <a@b>\n\nUse water.\n"
    )
    before = counts(shell)
    answer = shell("mail", "explain", file, "--json")
    found = answer.data

    assert answer.kind == "mail-explain"
    assert counts(shell) == before
    assert set(found) >= {"file", "subject", "from", "kind", "reply", "envelope", "evidence", "verdict", "decision"}
    assert found["verdict"]["ticket"] == 1
    assert (found["verdict"]["proof"], found["verdict"]["role"]) == ("signed", "agent")
    assert (found["decision"]["action"], found["decision"]["ticket"]) == ("answer", 1)
    assert found["decision"]["ticket_status"] == "new"
    assert "made for him" in shell("mail", "explain", file).out


def counts(shell: Shell) -> list[int | None]:
    with shell.desk.database.read() as connection:
        return [
            connection.scalar(select(func.count()).select_from(each)) for each in (MailRow, HistoryRow, DeliveryRow)
        ]


def test_explain_takes_the_envelope_from_its_options(shell: Shell) -> None:
    file = shell.config.with_name("mail.eml")
    file.write_text(f"From: {BEN}\nTo: somebody@else.example\nSubject: Hi\n\nHello.\n")

    assert shell("mail", "explain", file, "--json").data["envelope"] == {"from": None, "recipients": [SUPPORT]}
    found = shell("mail", "explain", file, "--json", "--to", "sales@acme.example", "--from", "").data
    assert found["envelope"] == {"from": "", "recipients": ["sales@acme.example"]}
    assert found["decision"]["department"] == "sales"
    assert found["decision"]["acknowledged"] is False


def test_explain_tells_that_the_mail_is_there_already(shell: Shell) -> None:
    mail_id = shell.desk.mail(ADA, "Printer")
    file = shell.config.with_name("same.eml")
    file.write_text(shell("mail", "show", mail_id, "--raw").out, newline="")

    assert shell("mail", "explain", file, "--json").data["decision"]["stored_as"] == mail_id


def test_explain_cannot_read_what_is_not_there(shell: Shell) -> None:
    answer = shell("mail", "explain", "/nowhere/mail.eml")

    assert answer.status == 66
    assert "/nowhere/mail.eml: No such file" in answer.err


def test_parse_needs_no_desk(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILD_CONFIG", "/nowhere/config.toml")
    file = shell.config.with_name("mail.eml")
    file.write_text(f"From: Ada <{ADA}>\nSubject: Hi\n\nHello.\n")
    answer = shell("mail", "parse", file, "--json")

    assert answer.status == 0
    assert json.loads(answer.out)["from"] == {"name": "Ada", "address": ADA}


def test_a_delivery_in_a_list_has_the_promised_keys(shell: Shell) -> None:
    shell.desk.post_office.refusals[ADA] = "451 4.2.1 later"
    shell.desk.mail(ADA, "Printer on fire")
    answer = shell("delivery", "list", "--json")
    [waits] = [each for each in answer.data if each["state"] == "queued"]

    assert answer.kind == "delivery-list"
    assert all(set(each) == DELIVERY for each in answer.data)
    assert (waits["recipient"], waits["reply"], waits["attempts"]) == (ADA, "451 4.2.1 later", 1)
    assert "451 4.2.1 later" in shell("delivery", "list", "--state", "queued").out
    assert shell("delivery", "list", "--ticket", 9).err == "no deliveries\n"


def test_a_delivery_is_tried_again_at_once(shell: Shell) -> None:
    shell.desk.post_office.refusals[ADA] = "451 4.2.1 later"
    shell.desk.mail(ADA, "Printer on fire")
    shell.desk.post_office.refusals.clear()
    [waits] = shell("delivery", "list", "--state", "queued", "--json").data
    answer = shell("delivery", "retry", waits["id"])
    shell.desk.work()

    assert answer.out == f"delivery {waits['id']}: queued -> queued\n"
    assert len(shell.desk.mails_to(ADA)) == 1


def test_a_delivery_that_waits_can_be_given_up_and_taken_up_again(shell: Shell) -> None:
    shell.desk.post_office.refusals[ADA] = "451 4.2.1 later"
    shell.desk.mail(ADA, "Printer on fire")
    [waits] = shell("delivery", "list", "--state", "queued", "--json").data
    gone = shell("delivery", "cancel", waits["id"], "--json")
    shell.desk.post_office.refusals.clear()
    shell.desk.clock.advance(days=1)
    shell.desk.work()

    assert gone.data == [{"id": waits["id"], "before": "queued", "state": "cancelled", "refused": None}]
    assert shell.desk.mails_to(ADA) == []
    assert (
        shell("delivery", "cancel", waits["id"]).err == f"delivery {waits['id']}: it is cancelled, it does not wait\n"
    )
    assert shell("delivery", "retry", waits["id"]).out == f"delivery {waits['id']}: cancelled -> queued\n"


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_what_was_sent_is_not_sent_again(shell: Shell, verb: str) -> None:
    shell.desk.mail(ADA, "Printer on fire")
    answer = shell("delivery", verb, 1, 99, "--json")

    assert answer.status == 1
    assert answer.data[0]["refused"] == "it was sent already"
    assert answer.data[1]["refused"].startswith("there is no such delivery; the newest is ")
    with shell.desk.database.read() as connection:
        assert set(connection.scalars(select(DeliveryRow.state))) == {DeliveryState.SENT}
