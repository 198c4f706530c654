"""A stranger who prepares the ground gets nobody's answers, and keeps nobody's answers from him."""

import pytest

from tests.stories.driver import ADA, ANNA, Desk

EVIL = "evil@attacker.example"


def answered(desk: Desk, customer: str, words: str = "Pull the plug.") -> list[str]:
    """Let a customer write and an agent answer; return who got the answer."""
    desk.mails_to(ANNA)
    desk.mail(customer, "Printer on fire", proven=True)
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, "Re: Printer on fire", f"{words}\r\n", answers=told)
    return [each.recipient for each in desk.post_office.got if words in each.text]


@pytest.mark.parametrize(
    "forged",
    [
        "ada@customer.example.",
        '"ada"@customer.example',
        "ada@customer\u00ad.example",
        "ada@customer.example\u3002",
        "ada@\uff43ustomer.example",
        "ADA@Customer.Example",
    ],
)
def test_who_wrote_an_address_first_does_not_decide_whether_answers_reach_it(desk: Desk, forged: str) -> None:
    desk.mail(f"Evil <{forged}>", "I was here first")
    desk.wait(hours=30)

    [got] = answered(desk, ADA)

    assert got.lower() == ADA


@pytest.mark.parametrize("forged", ["mi\u212ae@customer.example", "\u017fue@customer.example"])
def test_letters_that_look_alike_are_no_spelling_of_an_address(desk: Desk, forged: str) -> None:
    meant = forged.replace("\u212a", "k").replace("\u017f", "s")
    desk.mail(f"Evil <{forged}>", "I was here first")
    desk.wait(hours=30)

    [got] = answered(desk, meant)

    assert got.lower() == meant


def test_a_domain_with_an_eszett_is_not_the_one_with_two_s(desk: Desk) -> None:
    assert answered(desk, "ada@fa\u00df.example") == ["ada@xn--fa-hia.example"]
    assert answered(desk, "ada@fass.example", "Another answer.") == ["ada@fass.example"]
    assert desk.ticket(1).requester_id != desk.ticket(2).requester_id


def test_an_old_misspelling_is_mended_by_the_next_mail(desk: Desk) -> None:
    desk.mail(ADA, "Old")
    with desk.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE address SET address = 'ada@customer.example.' WHERE normal = 'ada@customer.example'"
        )

    assert answered(desk, ADA) == [ADA]


def test_a_flood_in_a_customers_name_draws_his_mail_to_no_ticket_of_strangers(desk: Desk) -> None:
    for number in range(12):
        desk.mail(ADA, f"Forged {number}", cc=EVIL, envelope_from=EVIL)
    desk.mails_to(ANNA)
    desk.mail(ADA, "My own matter")
    told = desk.mails_to(ANNA)[-1]
    desk.mail(ANNA, "Re: My own matter", "Your number is 42.\r\n", answers=told)

    assert [each.recipient for each in desk.post_office.got if "Your number is 42" in each.text] == [ADA]


def test_a_flood_that_names_others_is_gathered_all_the_same(desk: Desk) -> None:
    for number in range(30):
        desk.mail(ADA, f"Machine {number}", cc=EVIL)

    assert len(desk.tickets()) == 10
