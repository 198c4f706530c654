"""What is promised and when it is worked: the sections `[sla.NAME]` and `[calendar.NAME]`."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from maild.config.kinds import Section
from maild.config.kinds.names import Domain, Name, Percent
from maild.config.kinds.times import Country, Day, HoursOfDay, SpanText, Week, Zone, holidays_of
from maild.rules.levels import PRIORITIES, Kind
from maild.rules.working_time import OFFICE_WEEK, Calendar, Hours, Span


class Targets(Section):
    """How long one clock may run, by priority; the others take that of the next priority towards normal."""

    low: SpanText | None = None
    normal: SpanText
    high: SpanText | None = None
    urgent: SpanText | None = None

    def of(self, priority: str) -> Span:
        """Return the target of "low", "normal", "high" or "urgent"; any other priority is taken as normal."""
        match priority:
            case "low":
                return self.low or self.normal
            case "high":
                return self.high or self.normal
            case "urgent":
                return self.urgent or self.high or self.normal
            case _:
                return self.normal


class Sla(Section):
    """`[sla.NAME]`: a level of service; a clock left out has no target."""

    domains: tuple[Domain, ...] = ()  # of customers who have it, whatever their department's level
    calendar: Name | None = None  # None: the clocks run always
    first_response: Targets | None = None
    next_response: Targets | None = None
    resolution: Targets | None = None
    warn_at: tuple[Percent, ...] = (75, 100)
    warn_in: Name | None = None  # a calendar: when agents are told; None: while the clocks run

    @property
    def by_clock(self) -> dict[Kind, dict[str, Span]]:
        """The target of each clock and priority."""
        clocks = {
            Kind.FIRST_RESPONSE: self.first_response,
            Kind.NEXT_RESPONSE: self.next_response,
            Kind.RESOLUTION: self.resolution,
        }
        return {kind: {each: spans.of(each) for each in PRIORITIES} for kind, spans in clocks.items() if spans}


class OpeningHours(Section):
    """`[calendar.NAME]`: when a desk works."""

    timezone: Zone  # default: the first department's
    hours: Week = OFFICE_WEEK
    holidays: Country | None = None
    closed_days: tuple[Day, ...] = Field((), alias="closed")
    open_days: Mapping[Day, HoursOfDay] = Field({}, alias="open")

    @cached_property
    def calendar(self) -> Calendar:
        """The calendar for `maild.rules`."""
        country = self.holidays
        special: dict[Any, Hours] = dict(self.open_days)
        if country is None:
            return Calendar(self.timezone, self.hours, closed=frozenset(self.closed_days), special=special)
        return Calendar(
            self.timezone,
            self.hours,
            holidays=lambda year: holidays_of(country, year),
            closed=frozenset(self.closed_days),
            special=special,
        )

    @model_validator(mode="after")
    def _makes_a_calendar(self) -> "OpeningHours":
        if both := set(self.closed_days) & set(self.open_days):
            raise ValueError(f"{min(both)} is both closed and open")
        Calendar(self.timezone, self.hours, special=dict(self.open_days))
        return self
