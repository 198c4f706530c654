"""An agent's own signature: it stays here, or goes along where his department says so."""

import pytest

from maild.rules.state import Status
from maild.store.engine import Database
from tests.clock import FakeClock
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, SUPPORT, Desk, Received

SIGNING = CONFIG.replace(f'address = "{SUPPORT}"', f'address = "{SUPPORT}"\nsignature = true')
SIGNATURE = "-- \r\nAnna Berg\r\nAcme, +44 1 234\r\n"
HTML = "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8"
BOTH = 'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="b"'
MARKED = '<div class="gmail_signature"><b>Anna Berg</b><br>Acme, +44 1 234</div>'


@pytest.fixture
def signing(database: Database, clock: FakeClock) -> Desk:
    """A desk whose support sends signatures along."""
    return Desk(database, clock, SIGNING)


def told(desk: Desk) -> Received:
    desk.mail(f"Ada <{ADA}>", "Printer on fire", proven=True)
    desk.mails_to(ADA)
    desk.mails_to(BERT)
    [mail] = desk.mails_to(ANNA)
    return mail


def quoted(mail: Received) -> str:
    return "On Monday Ada via Acme Support wrote:\r\n" + "".join(f"> {line}\r\n" for line in mail.text.splitlines())


def in_html(mail: Received) -> str:
    lines = "<br>".join(mail.text.splitlines())
    head = '<div class="gmail_attr">On Monday Ada wrote:<br></div>'
    return f'<div class="gmail_quote">{head}<blockquote class="gmail_quote">{lines}</blockquote></div>'


def what_it_holds_of_ours(got: Received) -> list[str]:
    raw = got.text + got.message.html
    return [each for each in ("+t1.a", "+t1.n", "+t0.d", "On Monday", "does not work", "Internal note") if each in raw]


def test_without_a_setting_it_stays_here(desk: Desk) -> None:
    mail = told(desk)
    desk.mail(ANNA, f"Re: {mail.subject}", f"Pull the plug.\r\n\r\n{SIGNATURE}\r\n{quoted(mail)}", answers=mail)

    assert "Anna Berg" not in desk.mails_to(ADA)[0].raw.decode()


@pytest.mark.parametrize("words", ["", "#resolve\r\n\r\n"])
@pytest.mark.parametrize("place", ["above the quote", "below the quote", "no quote"])
def test_it_goes_along_and_the_quote_does_not(signing: Desk, words: str, place: str) -> None:
    mail = told(signing)
    text = {
        "above the quote": f"Pull the plug.\r\n\r\n{SIGNATURE}\r\n{quoted(mail)}",
        "below the quote": f"Pull the plug.\r\n\r\n{quoted(mail)}\r\n{SIGNATURE}",
        "no quote": f"Pull the plug.\r\n\r\n{SIGNATURE}",
    }[place]
    number = signing.mail(ANNA, f"Re: {mail.subject}", words + text, answers=mail)

    [got] = signing.mails_to(ADA)
    assert got.text.startswith("Pull the plug.")
    assert "Anna Berg\nAcme, +44 1 234" in got.text
    assert "#resolve" not in got.raw.decode()
    assert what_it_holds_of_ours(got) == []
    assert signing.filed(number).text == "Pull the plug."  # colleagues, search and figures have his words alone


@pytest.mark.parametrize("words", ["", "<div>#resolve</div>"])
def test_it_goes_along_as_html(signing: Desk, words: str) -> None:
    mail = told(signing)
    body = f"{words}<div>Pull the <i>plug</i>.</div><br>{MARKED}{in_html(mail)}"
    signing.mail(ANNA, f"Re: {mail.subject}", body, answers=mail, headers=HTML)

    [got] = signing.mails_to(ADA)
    assert "<i>plug</i>" in got.message.html
    assert "<b>Anna Berg</b>" in got.message.html
    assert "Anna Berg" in got.text
    assert "#resolve" not in got.raw.decode()
    assert what_it_holds_of_ours(got) == []


def test_it_goes_along_as_text_and_html(signing: Desk) -> None:
    mail = told(signing)
    body = (
        f"--b\r\nContent-Type: text/plain\r\n\r\nPull the plug.\r\n\r\n{SIGNATURE}\r\n{quoted(mail)}"
        f"--b\r\nContent-Type: text/html\r\n\r\n<div>Pull the <i>plug</i>.</div>{MARKED}{in_html(mail)}\r\n--b--\r\n"
    )
    signing.mail(ANNA, f"Re: {mail.subject}", body, answers=mail, headers=BOTH)

    [got] = signing.mails_to(ADA)
    assert "Anna Berg" in got.text
    assert "<b>Anna Berg</b>" in got.message.html
    assert what_it_holds_of_ours(got) == []


@pytest.mark.parametrize(("body", "headers"), [(f"#resolve\r\n\r\n{SIGNATURE}", ""), (f"#resolve<br>{MARKED}", HTML)])
def test_a_word_with_nothing_but_a_signature_is_no_answer(signing: Desk, body: str, headers: str) -> None:
    mail = told(signing)
    signing.mail(ANNA, f"Re: {mail.subject}", body, answers=mail, headers=headers)

    assert signing.status(1) is Status.RESOLVED
    assert not any("Anna Berg" in each.raw.decode() for each in signing.mails_to(ADA))


def test_a_note_has_none(signing: Desk) -> None:
    mail = told(signing)
    signing.mail(ANNA, f"Re: {mail.subject}", f"#note\r\nShe is new.\r\n\r\n{SIGNATURE}", answers=mail)

    assert signing.mails_to(ADA) == []
    assert not any("Anna Berg" in each.raw.decode() for each in signing.mails_to(BERT))


def test_a_signature_that_betrays_a_desk_address_stays_here(signing: Desk) -> None:
    mail = told(signing)
    text = f"Pull the plug.\r\n\r\n-- \r\nAnna Berg\r\n{mail.reply_to}\r\n"
    signing.mail(ANNA, f"Re: {mail.subject}", text, answers=mail)

    [got] = signing.mails_to(ADA)
    assert "Pull the plug." in got.text
    assert "Anna Berg" not in got.text


def test_it_goes_along_to_whom_an_agent_writes_first(signing: Desk) -> None:
    text = f"#for {ADA}\r\n\r\nYour printer is ready.\r\n\r\n{SIGNATURE}"
    signing.mail(ANNA, "Your printer", text, proven=True)

    [got] = signing.mails_to(ADA)
    assert got.text.startswith("Your printer is ready.")
    assert "Anna Berg" in got.text
    assert "#for" not in got.raw.decode()
