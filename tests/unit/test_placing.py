"""Where new requests go, by the rules of the configuration."""

import pytest

from maild import config
from maild.config import ConfigError
from maild.rules.placing import Place, Request

DESK = """
[smtp]
listen = "127.0.0.1:2525"
[[department]]
name = "support"
address = "support@acme.example"
[[department]]
name = "billing"
address = "billing@acme.example"
[[agent]]
name = "Anna"
address = "anna@acme.example"
departments = ["support"]
[[agent]]
name = "Bert"
address = "Bert@acme.example"
departments = ["billing"]
"""


def request(
    subject: str = "Hello",
    *,
    customer: str = "ada@customer.example",
    to: str = "support@acme.example",
    headers: dict[str, str] | None = None,
) -> Request:
    written = {name.lower(): value for name, value in (headers or {}).items()}
    return Request(
        "support", frozenset({to}), customer, subject, lambda name: [written[name]] if name in written else []
    )


def place(rules: str, asked: Request) -> Place:
    return config.parse(DESK + rules).placing.place(asked)


def faults(rules: str) -> str:
    with pytest.raises(ConfigError) as error:
        config.parse(DESK + rules)
    return str(error.value)


def test_without_rules_a_request_stays_where_it_was_sent_to() -> None:
    assert place("", request()) == Place("support")


@pytest.mark.parametrize(
    ("condition", "fits", "does_not"),
    [
        ('recipient = "sales@acme.example"', request(to="sales@acme.example"), request()),
        ('customer = "Big.example"', request(customer="x@big.example"), request(customer="x@tobig.example")),
        ('customer = "big.example"', request(customer="x@mail.big.example"), request(customer="big.example@x.example")),
        ('customer = "ADA@big.example"', request(customer="ada@big.example"), request(customer="bob@big.example")),
        ('subject = ["invoice", "refund*"]', request("refunding"), request("invoices")),
        ('header = { X-Form = "order*" }', request(headers={"x-FORM": "orders"}), request(headers={"X-Form": "no"})),
        ('header = { X-Form = "order*" }', request(headers={"x-FORM": "orders"}), request()),
        ('subject = "a"\ncustomer = "big.example"', request("a", customer="x@big.example"), request("a")),
    ],
)
def test_a_rule_fits_if_all_that_it_asks_for_is_so(condition: str, fits: Request, does_not: Request) -> None:
    rules = f'[[route]]\n{condition}\npriority = "high"\n'

    assert place(rules, fits).priority == "high"
    assert place(rules, does_not).priority == "normal"


def test_rules_that_say_different_things_add_up_and_the_first_word_counts() -> None:
    found = place(
        """
        [[route]]
        subject = "invoice"
        department = "billing"
        [[route]]
        customer = "customer.example"
        priority = "low"
        department = "support"
        [[route]]
        subject = "urgent"
        priority = "urgent"
        assign = "bert@acme.example"
        """,
        request("Urgent: invoice"),
    )

    assert (found.department, found.priority, found.assignee) == ("billing", "low", "bert@acme.example")
    assert found.reasons == (
        "for billing by rule [[route]] 1",
        "low by rule [[route]] 2",
        "for bert@acme.example by rule [[route]] 3",
    )


def test_a_rule_further_up_makes_an_exception() -> None:
    rules = """
    [[route]]
    customer = "ada@customer.example"
    spam = false
    [[route]]
    subject = "*casino*"
    spam = true
    """

    assert not place(rules, request("my casino")).spam
    assert place(rules, request("my casino", customer="x@y.example")).spam


def test_nobody_gets_a_ticket_of_a_department_in_which_he_does_not_work() -> None:
    rules = '[[route]]\nsubject = "x"\nassign = "bert@acme.example"\n'

    found = place(rules, request("x"))

    assert found.assignee is None
    assert "not for bert@acme.example, who does not work in support" in found.reasons


def test_vip_customers_have_at_least_their_priority() -> None:
    vip = '[vip]\ncustomers = ["big.example", "ada@customer.example"]\n'

    assert place(vip, request()).priority == "high"
    assert place(vip, request(customer="x@eu.big.example")).reasons == ("high, as a VIP customer's",)
    assert place(vip, request(customer="eve@customer.example")).priority == "normal"
    rules = vip + '[[route]]\nsubject = "x"\npriority = "{}"\n'
    assert place(rules.format("low"), request("x")).priority == "high"
    assert place(rules.format("urgent"), request("x")).priority == "urgent"


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ('[[route]]\npriority = "high"', "expected a condition"),
        ('[[route]]\nsubject = "x"', "expected what follows"),
        ('[[route]]\nsubject = "x"\ndepartment = "biling"', "did you mean 'billing'"),
        ('[[route]]\nsubject = "x"\nassign = "ana@acme.example"', "did you mean 'anna@acme.example'"),
        ('[[route]]\nsubject = "x"\ndepartment = "billing"\nassign = "anna@acme.example"', "an agent of department"),
        ('[[route]]\nsubject = "*"\npriority = "low"', "expected words to look for"),
        ('[[route]]\ncustomer = "not a domain"\npriority = "low"', "or a domain such as"),
        ('[[route]]\nheader = { "X Form" = "a" }\npriority = "low"', "header"),
        ('[[route]]\nsubject = "x"\npriority = "top"', "priority"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_start(rules: str, fault: str) -> None:
    assert fault in faults(rules)
