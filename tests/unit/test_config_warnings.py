"""What a configuration may say, but had better not."""

import pytest

from maild.config import parse, warnings
from tests.unit.configured import SMALLEST, settings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", "maild.operator: nobody is told"),
        ('[relay]\nuser = "x"\npassword = "y"', "relay.password: whoever reads"),
        ('[relay]\nhost = "mail.example"\nsecurity = "none"', "relay.security: mail to mail.example can be read"),
        ('[maild]\ndatabase = "postgresql://maild:x@db/maild"', "maild.database: whoever reads"),
        ('[[department]]\nname = "sales"\naddress = "sales@acme.example"\nremind_after = "30d"', "never reached"),
    ],
)
def test_what_is_allowed_but_risky_is_said(written: str, expected: str) -> None:
    found = warnings(settings(written))

    assert any(expected in each for each in found), found


def test_a_department_without_agents_is_risky() -> None:
    found = warnings(parse(SMALLEST.partition("[[agent]]")[0]))

    assert any(each.startswith("department support: no agent") for each in found)


def test_a_careful_configuration_has_no_warnings() -> None:
    assert warnings(settings('[maild]\noperator = "operator@acme.example"')) == ()
