"""What the agents of a department get of one mail is rendered once, and yet each has addresses of his own."""

import re

import pytest

from maild.templates import Rendered, Templates
from maild.templates.mails import Mail
from tests.stories.driver import ADA, ANNA, BERT, Desk

_SIGNED = re.compile(r"t\d+\.[a-z](\d+)\.\w{27}")


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The purposes of what is rendered."""
    purposes: list[str] = []
    render = Templates.render

    def counted(self: Templates, mail: Mail, language: str) -> Rendered:
        purposes.append(mail.purpose)
        return render(self, mail, language)

    monkeypatch.setattr(Templates, "render", counted)
    return purposes


def holders(words: str) -> set[str]:
    """The agents for whom the signed addresses in `words` were made."""
    return {found[1] for found in _SIGNED.finditer(words)} - {"0"}


def test_each_agent_has_his_own_addresses_in_what_was_rendered_for_all(desk: Desk, rendered: list[str]) -> None:
    desk.mail(ADA, "Printer on fire", "See https://x.example/ & help.\r\n")
    [anna], [bert] = desk.mails_to(ANNA), desk.mails_to(BERT)

    assert rendered.count("notification") == 1
    for hers, his in ((anna.text, bert.text), (anna.message.html, bert.message.html)):
        assert len(holders(hers)) == len(holders(his)) == 1
        assert holders(hers) != holders(his)
        assert _SIGNED.sub("", hers) == _SIGNED.sub("", his)
    assert anna.reply_to != bert.reply_to


def test_what_each_of_them_does_with_his_own_mail_is_his(desk: Desk) -> None:
    desk.mail(ADA, "Printer on fire")
    desk.mails_to(ANNA)
    [bert] = desk.mails_to(BERT)
    to, words = bert.click("#take")
    desk.mail(BERT, "Re: Printer on fire", words, to=to)

    assert desk.ticket(1).assignee == BERT
