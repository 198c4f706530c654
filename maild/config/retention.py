"""How long what is done with is kept: the section `[retention]`."""

from typing import Annotated

from pydantic import AfterValidator

from maild.config.kinds import Section
from maild.config.kinds.times import SpanText
from maild.rules.working_time import Span


def _whole_days(span: Span) -> Span:
    if span.business_days or span.seconds % 86_400:
        raise ValueError("expected whole days, such as '730d'")
    return span


Days = Annotated[SpanText, AfterValidator(_whole_days)]


class Retention(Section):
    """`[retention]`: what is removed by itself; left out, closed tickets are kept for ever."""

    closed: Days | None = None  # days after a ticket was closed
