"""How much automatic mail may leave."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from maild.rules.limits import EXCHANGES, SILENCE, Limit, Refusal, Sent, refuses, refuses_agent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ago(*minutes: float) -> list[datetime]:
    return [NOON - each * MINUTE for each in minutes]


def reason(found: Refusal | None) -> str:
    return found.reason if found else ""


def test_the_first_mail_of_a_kind_is_sent() -> None:
    assert refuses(Sent(), NOON, acknowledgement=True) is None


def test_three_in_ten_minutes_on_a_ticket_are_enough() -> None:
    assert refuses(Sent(on_ticket=ago(1, 2)), NOON) is None
    assert "3 automatic mails within 10 minutes" in reason(refuses(Sent(on_ticket=ago(1, 2, 3)), NOON))
    assert refuses(Sent(on_ticket=ago(1, 2, 11)), NOON) is None


def test_four_in_an_hour_silence_the_ticket_for_a_day() -> None:
    found = refuses(Sent(on_ticket=ago(*range(5, 60, 14))), NOON)

    assert found is not None
    assert found.silence_until == NOON + SILENCE
    assert EXCHANGES == 4


def test_ten_in_a_day_on_a_ticket_are_enough() -> None:
    spread = ago(*(70 + 120 * number for number in range(10)))

    assert refuses(Sent(on_ticket=spread[:9]), NOON) is None
    assert "within a day" in reason(refuses(Sent(on_ticket=spread), NOON))


def test_an_address_gets_two_acknowledgements_an_hour_and_five_a_day() -> None:
    assert refuses(Sent(acknowledged=ago(5)), NOON, acknowledgement=True) is None
    assert refuses(Sent(acknowledged=ago(5, 6)), NOON, acknowledgement=True)
    assert refuses(Sent(acknowledged=ago(70, 80, 90, 100)), NOON, acknowledgement=True) is None
    assert refuses(Sent(acknowledged=ago(70, 80, 90, 100, 110)), NOON, acknowledgement=True)


def test_an_unproven_address_gets_one_a_day() -> None:
    assert refuses(Sent(), NOON, acknowledgement=True, proven=False) is None
    assert "unproven" in reason(refuses(Sent(acknowledged=ago(1000)), NOON, acknowledgement=True, proven=False))


def test_acknowledgements_have_a_limit_in_all_and_a_lower_one_for_the_unproven() -> None:
    assert refuses(Sent(in_all=299, in_all_unproven=99), NOON, acknowledgement=True) is None
    assert refuses(Sent(in_all=300), NOON, acknowledgement=True)
    assert refuses(Sent(in_all=100, in_all_unproven=100), NOON, acknowledgement=True) is None
    assert refuses(Sent(in_all=100, in_all_unproven=100), NOON, acknowledgement=True, proven=False)


def test_limits_of_acknowledgements_do_not_stop_other_mails() -> None:
    assert refuses(Sent(acknowledged=ago(1, 2, 3), in_all=1000), NOON) is None


def test_a_silenced_ticket_and_a_suppressed_address_get_nothing_until_then() -> None:
    assert refuses(Sent(), NOON, silenced_until=NOON + MINUTE)
    assert refuses(Sent(), NOON, silenced_until=NOON) is None
    assert refuses(Sent(), NOON, suppressed_until=NOON + MINUTE)
    assert refuses(Sent(), NOON, suppressed_until=NOON) is None


def test_an_agent_sees_thirty_mails_an_hour_of_one_ticket() -> None:
    assert refuses_agent(ago(*range(29)), NOON) is None
    assert refuses_agent(ago(*range(30)), NOON)


@given(st.lists(st.integers(1, 300), max_size=300))
def test_whatever_the_rhythm_no_window_holds_more_than_its_limit(gaps_s: list[int]) -> None:
    """A loop that answers at once, at any rhythm: what is sent stays within all three limits."""
    now, sent = NOON, []
    for gap_s in gaps_s:
        now += timedelta(seconds=gap_s)
        if refuses(Sent(on_ticket=sent), now) is None:
            sent.append(now)

    for at in sent:
        for within, most in ((timedelta(minutes=10), 3), (timedelta(hours=1), 4), (timedelta(days=1), 10)):
            assert sum(1 for each in sent if at - within < each <= at) <= most


def test_every_reason_is_one_of_the_table() -> None:
    asked = [
        *(Sent(on_ticket=ago(*[span] * 10)) for span in (1, 40, 300)),
        *(Sent(on_ticket=ago(*[span] * 3)) for span in (1, 40)),
        *(Sent(acknowledged=ago(*[span] * 6)) for span in (30, 300)),
        Sent(asked=True),
        Sent(in_all=300),
        Sent(in_all_unproven=100),
        Sent(in_domain_unproven=50),
    ]
    found = [
        refuses(sent, NOON, proven=proven, acknowledgement=True, rating=True)
        for sent in asked
        for proven in (True, False)
    ]
    found += [
        refuses(Sent(), NOON, silenced_until=NOON + MINUTE),
        refuses(Sent(), NOON, suppressed_until=NOON + MINUTE),
        refuses_agent(ago(*[1] * 30), NOON),
    ]

    reasons = {re.sub(r"\b\d+\b", "%(count)s", each.reason, count=1) for each in found if each}
    assert len(reasons) > 8
    assert reasons <= {str(each) for each in Limit}
