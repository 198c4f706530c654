"""Mail in an agent's name that lacks proof: he is asked, he releases it, or nobody ever acts on it."""

import re

import pytest

from maild import inbox
from maild.inbox import held
from maild.message.authentication import Trust
from maild.rules.routing import OPERATOR
from maild.rules.state import Status
from maild.store.models import MailState
from tests.stories.driver import ADA, ANNA, BERT, CONFIG, MX, SUPPORT, Desk, Received

MALLORY = "mallory@evil.example"
FAILED = f"Authentication-Results: {MX}; dmarc=fail header.from=acme.example"


def reply_of(told: Received) -> str:
    """The headers of an answer that a client wrote without the signed address, as to a typed-in recipient."""
    return f"In-Reply-To: <{told.message.message_id}>"


def release_address(asked: Received) -> str:
    found = re.search(r"support\+h\d+\.a\d+\.\w+@acme\.example", asked.text)
    assert found, asked.text
    return found[0]


def test_an_agent_whose_mail_is_held_releases_it_with_one_click(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    assert desk.filed(mail).state is MailState.HELD
    assert desk.mails_to(ADA) == []
    [asked] = desk.mails_to(ANNA)
    assert "Pull the plug." in asked.text
    assert "[#1]" in asked.subject

    desk.mail(ANNA, "Release", "Release\r\n", to=release_address(asked))

    assert desk.status(1) is Status.ANSWERED
    assert "Pull the plug." in desk.mails_to(ADA)[0].text
    assert desk.filed(mail).state is MailState.FILED
    assert desk.filed(mail).released_by == ANNA
    assert ("released", None, f"mail {mail}, which was held", "Released") in desk.history(1)
    assert desk.tickets() == [1]


def reject_address(asked: Received) -> str:
    found = re.search(r"support\+j\d+\.a\d+\.\w+@acme\.example", asked.text)
    assert found, asked.text
    assert found[0] in asked.message.html
    return found[0]


def test_an_agent_who_did_not_write_it_rejects_it_with_one_click(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Send money.\r\n", to=SUPPORT, envelope_from=MALLORY, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    clicked = desk.mail(ANNA, "Reject", "Reject\r\n", to=reject_address(asked))

    assert desk.filed(mail).state is MailState.NOTED
    assert (desk.filed(mail).purpose, desk.filed(clicked).purpose) == ("rejected", "reject")
    assert f"rejected by {ANNA}" in desk.filed(mail).reason
    late = desk.mail(ANNA, "Release", to=release_address(asked))
    assert "not held" in desk.filed(late).reason
    assert desk.status(1) is Status.NEW
    assert desk.mails_to(ADA) == desk.mails_to(ANNA) == []
    assert desk.tickets() == [1]


@pytest.mark.parametrize(("sender", "headers"), [(MALLORY, ""), (BERT, ""), (ADA, ""), (ANNA, FAILED)])
def test_nobody_else_rejects_an_agents_mail(desk: Desk, told: Received, sender: str, headers: str) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    desk.mail(sender, "Reject", to=reject_address(asked), headers=headers)

    assert desk.filed(mail).state is MailState.HELD
    assert desk.tickets() == [1]


def test_what_releases_does_not_reject(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    tried = desk.mail(ANNA, "Reject", to=release_address(asked).replace("+h", "+j"))

    assert desk.filed(mail).state is MailState.HELD
    assert "signature is wrong" in desk.filed(tried).reason


def test_a_mail_is_released_once(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)
    desk.mail(ANNA, "Release", to=release_address(asked))
    desk.mails_to(ADA)

    again = desk.mail(ANNA, "Release again", to=release_address(asked))

    assert desk.mails_to(ADA) == []
    assert desk.filed(again).state is MailState.NOTED
    assert "not held" in desk.filed(again).reason


@pytest.mark.parametrize("sender", [MALLORY, BERT, ADA])
def test_only_the_agent_himself_releases(desk: Desk, told: Received, sender: str) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    tried = desk.mail(sender, "Release", to=release_address(asked), proven=True)

    assert desk.filed(mail).state is MailState.HELD
    assert desk.filed(tried).state is MailState.NOTED
    assert desk.tickets() == [1]
    assert desk.mails_to(ADA) == []


def test_a_guessed_release_address_releases_nothing(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Send money.\r\n", to=SUPPORT, envelope_from=MALLORY, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)
    address = release_address(asked)
    forged = re.sub(r"\.(\w)(\w+)@", lambda found: f".{found[1]}{found[2][::-1]}@", address)

    tried = desk.mail(ANNA, "Release", to=forged, envelope_from=MALLORY)

    assert desk.filed(mail).state is MailState.HELD
    assert "signature is wrong" in desk.filed(tried).reason


def test_a_machine_releases_nothing(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    desk.mail(ANNA, "Out of office", to=release_address(asked), headers="Auto-Submitted: auto-replied")

    assert desk.filed(mail).state is MailState.HELD


def test_a_failure_is_asked_of_nobody_and_released_by_the_operator_only(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "It is me.\r\n", answers=told, headers=FAILED)
    assert desk.filed(mail).state is MailState.HELD
    assert desk.mails_to(ANNA) == []

    with desk.database.write() as connection:
        [outcome] = held.release(connection, [mail], OPERATOR, desk.clock())
    desk.work()

    assert outcome.refused is None
    assert desk.status(1) is Status.ANSWERED
    assert "It is me." in desk.mails_to(ADA)[0].text
    assert desk.filed(mail).evidence["released_by"] == OPERATOR


def test_a_failed_release_releases_nothing(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    desk.mail(ANNA, "Release", to=release_address(asked), headers=FAILED)

    assert desk.filed(mail).state is MailState.HELD


def test_a_rejected_mail_is_never_acted_on(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)
    with desk.database.write() as connection:
        held.reject(connection, [mail], OPERATOR)

    desk.mail(ANNA, "Release", to=release_address(asked))

    assert desk.filed(mail).state is MailState.NOTED
    assert "rejected by operator" in desk.filed(mail).reason
    assert desk.mails_to(ADA) == []


def test_whoever_forges_an_agents_name_cannot_flood_him(desk: Desk, told: Received) -> None:
    for number in range(20):
        desk.mail(ANNA, f"Hello {number}", "Send money.\r\n", envelope_from=MALLORY)

    assert len(desk.mails_to(ANNA)) == 3
    desk.wait(hours=2)
    desk.mail(ANNA, "Hello again", "Send money.\r\n", envelope_from=MALLORY)
    assert len(desk.mails_to(ANNA)) == 1


def test_a_stolen_customers_token_makes_no_agent(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", answers=told)
    [answer] = desk.mails_to(ADA)

    mail = desk.mail(ANNA, answer.subject, "Send money.\r\n", answers=answer, envelope_from=MALLORY)

    assert desk.filed(mail).state is MailState.HELD
    assert desk.status(1) is Status.ANSWERED
    assert desk.mails_to(ADA) == []


def without_anna(desk: Desk) -> Desk:
    before, _, rest = CONFIG.partition('[[agent]]\nname = "Anna"')
    later = Desk(desk.database, desk.clock, before + rest[rest.index("[[agent]]") :])
    later._number = 100
    return later


def test_an_agent_who_was_removed_is_held(desk: Desk, told: Received) -> None:
    later = without_anna(desk)

    mail = later.mail(ANNA, told.subject, "I was removed.\r\n", answers=told)

    assert later.filed(mail).state is MailState.HELD
    assert "none now" in later.filed(mail).reason
    assert later.mails_to(ADA) == []
    assert later.status(1) is Status.NEW


def test_an_agent_removed_in_between_releases_nothing(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)
    later = without_anna(desk)

    later.mail(ANNA, "Release", to=release_address(asked))

    assert later.filed(mail).state is MailState.HELD


def strict(desk: Desk) -> Desk:
    other = Desk(desk.database, desk.clock, CONFIG.replace("[maild]", '[maild]\nagent_trust = "both"'))
    other._number = 100
    return other


@pytest.mark.parametrize(
    ("token", "proven", "state"),
    [(True, False, MailState.HELD), (False, True, MailState.HELD), (True, True, MailState.FILED)],
)
def test_where_both_are_asked_for_one_proof_is_not_enough(
    desk: Desk, told: Received, token: bool, proven: bool, state: MailState
) -> None:
    careful = strict(desk)
    answers = {"answers": told} if token else {"to": SUPPORT, "headers": reply_of(told)}

    mail = careful.mail(ANNA, told.subject, "Pull the plug.\r\n", proven=proven, **answers)

    assert careful.filed(mail).state is state
    assert len(careful.mails_to(ADA)) == (state is MailState.FILED)


def test_where_both_are_asked_for_a_release_has_to_be_proven_too(desk: Desk, told: Received) -> None:
    careful = strict(desk)
    mail = careful.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told), proven=True)
    [asked] = careful.mails_to(ANNA)

    careful.mail(ANNA, "Release", to=release_address(asked))
    assert careful.filed(mail).state is MailState.HELD
    careful.mail(ANNA, "Release", to=release_address(asked), proven=True)

    assert careful.filed(mail).state is MailState.FILED
    assert Trust(careful.filed(mail).evidence["trust"]) is Trust.PASS


def test_an_agents_new_request_needs_one_proof_even_where_both_are_asked_for(desk: Desk) -> None:
    mail = strict(desk).mail(ANNA, "My chair is broken", proven=True)

    assert desk.filed(mail).state is MailState.FILED


def logged_in(desk: Desk, sender: str, login: str, subject: str, headers: str) -> int:
    """Let somebody send what an agent's login let in."""
    desk._number += 1
    raw = (
        f"From: {sender}\r\nTo: {SUPPORT}\r\nSubject: {subject}\r\n"
        f"Message-ID: <login-{desk._number}@client.example>\r\n{headers}\r\n\r\nPull the plug.\r\n"
    )
    mail = inbox.Incoming(login, (SUPPORT,), "smtp 127.0.0.1", raw.encode(), helo="laptop", login=login)
    with desk.database.write() as connection:
        [stored] = inbox.store(connection, [mail], desk.clock())
    desk.work()
    return stored.mail_id


def test_an_agent_who_logs_in_needs_no_signed_address(desk: Desk, told: Received) -> None:
    mail = logged_in(desk, ANNA, ANNA, told.subject, reply_of(told))

    assert desk.status(1) is Status.ANSWERED
    assert "Pull the plug." in desk.mails_to(ADA)[0].text
    assert "logged in" in desk.filed(mail).evidence["trust_reasons"][0]


def test_a_login_of_one_agent_is_no_proof_of_another(desk: Desk, told: Received) -> None:
    mail = logged_in(desk, BERT, ANNA, told.subject, reply_of(told))

    assert desk.filed(mail).state is MailState.HELD
    assert desk.mails_to(BERT) == []
    assert desk.mails_to(ADA) == []


def test_a_login_of_an_agent_who_was_removed_since_makes_no_agent(desk: Desk, told: Received) -> None:
    later = without_anna(desk)

    mail = logged_in(later, ANNA, ANNA, told.subject, reply_of(told))

    assert later.mails_to(ADA) == []
    assert later.filed(mail).purpose == "customer"
    assert later.filed(mail).evidence["third_party"]


def test_a_question_that_cannot_be_delivered_ends_there(desk: Desk, told: Received) -> None:
    desk.post_office.refusals[ANNA] = "550 5.1.1 no such user"

    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))

    assert desk.filed(mail).state is MailState.HELD
    assert desk.tickets() == [1]
    assert desk.status(1) is Status.NEW


def test_a_question_that_comes_back_to_us_opens_nothing(desk: Desk, told: Received) -> None:
    desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)

    back = desk.deliver(asked.raw, "somebody@forwarder.example", SUPPORT)

    assert desk.filed(back).kind == "own"
    assert desk.tickets() == [1]


def test_an_answer_to_the_question_releases_nothing(desk: Desk, told: Received) -> None:
    mail = desk.mail(ANNA, told.subject, "Pull the plug.\r\n", to=SUPPORT, headers=reply_of(told))
    [asked] = desk.mails_to(ANNA)
    to = asked.message.reply_to[0].address if asked.message.reply_to else asked.message.from_.address

    desk.mail(ANNA, f"Re: {asked.subject}", f"I did not write it.\r\n\r\n> {release_address(asked)}\r\n", to=to)

    assert desk.filed(mail).state is MailState.HELD
    assert desk.mails_to(ADA) == []
