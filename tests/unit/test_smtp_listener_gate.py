"""Who may connect to the listener."""

import pytest

from maild.services.smtp_listener.gate import Gate, Limits, client_of

ADDRESS = "192.0.2.1"


def test_a_client_may_have_so_many_connections_and_no_more() -> None:
    gate = Gate(Limits(connections_per_address=2))
    assert gate.enter(ADDRESS, 0) is None
    assert gate.enter(ADDRESS, 0) is None

    refusal = gate.enter(ADDRESS, 0)

    assert refusal is not None
    assert refusal.startswith("421 4.7.0 ")
    assert gate.enter("192.0.2.2", 0) is None
    gate.leave(ADDRESS)
    assert gate.enter(ADDRESS, 0) is None


def test_all_together_may_have_so_many_connections_and_no_more() -> None:
    gate = Gate(Limits(connections=3))
    for host in range(3):
        assert gate.enter(f"192.0.2.{host}", 0) is None

    refusal = gate.enter("192.0.2.9", 0)

    assert refusal is not None
    assert refusal.startswith("421 4.3.2 ")
    gate.leave("192.0.2.0")
    assert gate.enter("192.0.2.9", 0) is None


def test_a_client_may_come_only_so_often_in_a_minute() -> None:
    gate = Gate(Limits(connections_per_address=10))
    for _ in range(60):
        assert gate.enter(ADDRESS, 0) is None
        gate.leave(ADDRESS)

    assert gate.enter(ADDRESS, 59) is not None
    assert gate.enter(ADDRESS, 60) is None


def test_a_network_of_64_bits_is_one_client() -> None:
    gate = Gate(Limits(connections_per_address=1))
    assert gate.enter("2001:db8:1:2::1", 0) is None

    assert gate.enter("2001:db8:1:2:ffff::9", 0) is not None
    assert gate.enter("2001:db8:1:3::1", 0) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_itself_is_bounded_by_the_total_alone(address: str) -> None:
    gate = Gate(Limits(connections=70, connections_per_address=1))
    for _ in range(70):
        assert gate.enter(address, 0) is None

    assert gate.enter(address, 0) is not None


def test_an_address_is_the_same_client_whichever_family_it_is_written_in() -> None:
    assert client_of("::ffff:192.0.2.1") == client_of("192.0.2.1") == "192.0.2.1"
    assert client_of("fe80::1%eth0") == client_of("fe80::2%eth0")


def test_it_is_crowded_when_four_of_five_places_are_taken() -> None:
    gate = Gate(Limits(connections=10))
    for host in range(8):
        gate.enter(f"192.0.2.{host}", 0)
    assert not gate.crowded

    gate.enter("192.0.2.9", 0)

    assert gate.crowded


def test_a_flood_of_addresses_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maild.services.smtp_listener.gate._REMEMBERED", 100)
    gate = Gate(Limits())
    for host in range(1000):
        address = f"10.0.{host // 250}.{host % 250}"
        assert gate.enter(address, 0) is None
        gate.leave(address)

    assert len(gate._came) <= 100
    assert not gate._inside
