"""What a configuration means, and what is said of broken ones."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from maild.config import ConfigError, Settings, find, parse
from maild.rules.working_time import Span
from tests.unit.configured import SMALLEST, faults, settings

BROKEN = Path(__file__).parent / "broken"


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.toml")), ids=lambda path: path.stem)
def test_a_broken_configuration_is_explained(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(path.read_text(), path.name)

    assert caught.value.render() + "\n" == path.with_suffix(".expected").read_text()


def test_at_least_forty_broken_configurations_are_tried() -> None:
    assert len(list(BROKEN.glob("*.toml"))) >= 40
    assert {path.stem for path in BROKEN.glob("*.toml")} == {path.stem for path in BROKEN.glob("*.expected")}


def test_no_explanation_shows_a_password() -> None:
    for path in BROKEN.glob("*.expected"):
        assert "hunter2" not in path.read_text()


def test_the_smallest_configuration_has_defaults_for_the_rest() -> None:
    desk = settings()
    [support], [anna] = desk.departments, desk.agents

    assert desk.smtp is not None
    assert (desk.smtp.listen.host, desk.smtp.listen.port, desk.smtp.protocol) == ("127.0.0.1", 2525, "smtp")
    assert (desk.relay.host, desk.relay.port, desk.relay.security) == ("localhost", 25, "none")
    assert (support.title, support.language, str(support.timezone)) == ("Support", "en", "UTC")
    assert (support.remind_after, support.resolve_after) == (Span.parse("5d"), Span.parse("10d"))
    assert anna.departments == ("support",)


def test_a_title_is_made_from_the_name() -> None:
    text = SMALLEST.replace('name = "support"', 'name = "customer-care"')

    assert parse(text).departments[0].title == "Customer care"


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [('"25MiB"', 26214400), ('"10 MB"', 10_000_000), ('"100kib"', 102400), ("1000000", 1_000_000)],
)
def test_sizes_are_counted_in_bytes(written: str, size_bytes: int) -> None:
    smtp = settings(smallest=SMALLEST.replace("[[dep", f"max_size = {written}\n[[dep")).smtp

    assert smtp is not None
    assert smtp.max_size_bytes == size_bytes


def test_a_mail_is_for_the_department_whose_address_it_names() -> None:
    desk = parse(SMALLEST.replace("[[agent]]", 'aliases = ["Help@Acme.Example"]\n[[agent]]'))

    for address in (
        "support@acme.example",
        "SUPPORT@Acme.EXAMPLE",
        "help@acme.example",
        "support+t1042.c7.kabcdefghijklmnopqrstuvwxyz@acme.example",
        "support+anything+else@acme.example",
    ):
        assert desk.department_of(address) is desk.departments[0]
    for address in ("sales@acme.example", "support@other.example", "support", "", "+@acme.example", "+t1@acme.example"):
        assert desk.department_of(address) is None


def test_a_plus_in_a_departments_own_address_is_part_of_it() -> None:
    desk = parse(SMALLEST.replace("support@acme", "desk+s@acme"))

    assert desk.department_of("desk+s@acme.example") is not None
    assert desk.department_of("desk+s+t1.x@acme.example") is not None
    assert desk.department_of("desk@acme.example") is None


def test_an_agent_is_known_by_his_address() -> None:
    desk = settings()

    assert desk.agent_of("Anna@ACME.example") is desk.agents[0]
    assert desk.agent_of("eve@acme.example") is None
    assert desk.agents_of("support") == desk.agents
    assert desk.agents_of("sales") == ()


def test_an_agent_has_language_and_zone_of_his_first_department_unless_his_own() -> None:
    text = SMALLEST.replace("[[agent]]", 'language = "et"\ntimezone = "Europe/Tallinn"\n[[agent]]')
    own = text + 'language = "de"\ntimezone = "Europe/Berlin"\n'
    anna, bernd = parse(text), parse(own)

    assert (anna.language_of(anna.agents[0]), str(anna.timezone_of(anna.agents[0]))) == ("et", "Europe/Tallinn")
    assert (bernd.language_of(bernd.agents[0]), str(bernd.timezone_of(bernd.agents[0]))) == ("de", "Europe/Berlin")


def test_ours_are_the_addresses_and_of_catch_all_domains_everything() -> None:
    plus = settings()
    catch_all = settings("[maild]", 'reply_form = "catch-all"')

    assert plus.ours == {"support@acme.example"}
    assert catch_all.ours == {"support@acme.example", "acme.example"}


def test_a_long_address_will_do_where_the_signed_part_stands_alone() -> None:
    text = SMALLEST.replace("support@", "customer-support-europe@")

    assert parse('[maild]\nreply_form = "catch-all"\n' + text).departments
    assert "at most 16 characters" in faults(text)[0]


def test_without_a_calendar_clocks_run_always_and_reminders_keep_office_hours() -> None:
    desk = settings()
    policy = desk.policy_of(desk.departments[0])
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)

    assert policy.calendar.add(saturday, Span.parse("2h")) == datetime(2026, 3, 7, 14, tzinfo=UTC)
    assert policy.calendar.add(saturday, Span.parse("1bd")) == datetime(2026, 3, 10, 9, tzinfo=UTC)
    assert policy.office.next_open(saturday) == datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert policy.told_in.next_open(saturday) == datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert policy.level is None


WITH_A_LEVEL = """
[sla.gold]
calendar = "office"
first_response = { low = "2bd", normal = "8h", urgent = "1h" }
[calendar.office]
hours = { mon-thu = ["9:00-12:00", "13:00-17:00"], fri = ["9-13"] }
holidays = "EE"
closed = [2026-02-25, "2026-02-26"]
open = { 2026-02-28 = ["10-12"] }
"""


def test_the_calendar_of_a_level_counts_its_clocks() -> None:
    desk = parse(SMALLEST.replace("[[agent]]", 'sla = "gold"\ntimezone = "Europe/Tallinn"\n[[agent]]') + WITH_A_LEVEL)
    policy = desk.policy_of(desk.departments[0])
    assert policy.level
    clock = policy.level.calendar
    zone = ZoneInfo("Europe/Tallinn")
    monday = datetime(2026, 2, 23, 16, tzinfo=zone)  # then 24 February, a holiday, and two closed days

    assert clock.zone == zone
    assert clock.hours(date(2026, 2, 24)) == ()
    assert clock.add(monday, Span.parse("2h")) == datetime(2026, 2, 27, 10, tzinfo=zone)
    assert clock.add(monday, Span.parse("6h")) == datetime(2026, 2, 28, 11, tzinfo=zone)
    assert clock.add(monday, Span.parse("2bd")) == datetime(2026, 2, 28, 12, tzinfo=zone)
    assert policy.office is policy.told_in is clock


def test_a_priority_without_a_target_takes_the_next_one_towards_normal() -> None:
    desk = parse(SMALLEST + WITH_A_LEVEL)
    targets = desk.sla["gold"].first_response

    assert targets is not None
    assert [str(targets.of(priority)) for priority in ("low", "normal", "high", "urgent", "?")] == [
        "2bd", "8h", "8h", "1h", "8h"
    ]  # fmt: skip


def test_an_urgent_ticket_is_at_least_as_urgent_as_a_high_one() -> None:
    desk = parse(SMALLEST + '[sla.gold]\nresolution = { normal = "5bd", high = "2bd" }\n')
    targets = desk.sla["gold"].resolution

    assert targets is not None
    assert str(targets.of("urgent")) == "2bd"


def test_hours_may_end_on_the_next_day() -> None:
    desk = parse(SMALLEST + '[calendar.night]\nhours = { sun = ["22-6"], mon = ["12-0:00"] }\n')
    night = desk.calendar["night"].calendar

    assert night.is_open(datetime(2026, 3, 8, 23, tzinfo=UTC))
    assert night.is_open(datetime(2026, 3, 9, 5, 59, tzinfo=UTC))
    assert not night.is_open(datetime(2026, 3, 9, 6, tzinfo=UTC))
    assert night.is_open(datetime(2026, 3, 9, 23, 59, tzinfo=UTC))
    assert not night.is_open(datetime(2026, 3, 10, 0, tzinfo=UTC))


def test_always_open_counts_every_day_as_a_business_day() -> None:
    desk = parse(SMALLEST + '[calendar.always]\nhours = "always"\n')
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)

    assert desk.calendar["always"].calendar.add(saturday, Span.parse("1bd")) == datetime(2026, 3, 8, 12, tzinfo=UTC)


def test_settings_never_change() -> None:
    desk = settings()

    with pytest.raises(ValueError, match="frozen"):
        desk.relay.port = 26  # type: ignore[misc]  # the point of the test


def test_settings_that_say_the_same_are_equal() -> None:
    assert settings() == settings()
    assert settings() != settings("[relay]", "port = 26")


def test_the_configuration_is_the_named_one_then_that_of_the_environment_then_the_systems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAILD_CONFIG", "/srv/desk.toml")
    assert find(Path("mine.toml")) == Path("mine.toml")
    assert find(None) == Path("/srv/desk.toml")

    monkeypatch.setenv("MAILD_CONFIG", "")
    assert find(None) == Path("/etc/maild/config.toml")


def scalars(value: Any) -> Iterator[list[Any]]:
    """Yield the paths of everything in a parsed TOML document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield [key]
        yield from ([key, *rest] for rest in scalars(inner))


@pytest.mark.parametrize(
    "junk", [None, 0, 1.5, "x", True, [], {}, [[]], [{}], {"x": 1}, date(2026, 1, 1), -1, "", "\x00"]
)
def test_whatever_is_written_in_place_of_a_value_is_a_fault_and_no_crash(junk: Any) -> None:
    example: dict[str, Any] = {
        "maild": {"database": "x", "hostname": "h", "operator": "o@a.example", "templates": "t", "reply_form": "plus"},
        "smtp": {
            "listen": "127.0.0.1:2525",
            "protocol": "smtp",
            "max_size": "1MiB",
            "tls_certificate": "c",
            "tls_key": "k",
        },
        "relay": {"host": "h", "port": 25, "security": "tls", "user": "u", "password": "p"},
        "department": [
            {"name": "s", "address": "s@a.example", "aliases": ["t@a.example"], "sla": "g", "timezone": "UTC"}
        ],
        "agent": [{"name": "A", "address": "a@a.example", "departments": ["s"]}],
        "mailbox": [{"name": "m", "host": "h", "user": "u", "password": "p", "department": "s", "after": "keep"}],
        "sla": {"g": {"calendar": "o", "first_response": {"normal": "1h"}, "warn_at": [75]}},
        "calendar": {"o": {"timezone": "UTC", "hours": {"mon": ["9-17"]}, "closed": ["2026-01-01"], "open": {}}},
    }
    Settings.model_validate(example)
    for path in scalars(example):
        changed = _copy(example)
        table = changed
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = junk
        with suppress(ValidationError):
            Settings.model_validate(changed)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
