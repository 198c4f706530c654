"""Months of a desk, by several seeds: what must hold holds at each instant."""

import pytest

from tests.stories.months import Months


@pytest.mark.parametrize("seed", [1, 2])
def test_no_customer_is_forgotten_and_nobody_is_bothered_in_four_months_of_a_thousand_customers(seed: int) -> None:
    found = Months(seed).run()

    assert found.tickets == 1000
    assert found.statuses["closed"] > 700
    assert {"reminder", "resolved", "waiting", "breached", "escalated"} <= set(found.tells)
    assert found.clocks > 1000


@pytest.mark.parametrize("seed", range(3, 8))
def test_a_short_life_of_few_customers_by_more_seeds(seed: int) -> None:
    assert Months(seed, days=40, customers=100).run().tickets == 100
