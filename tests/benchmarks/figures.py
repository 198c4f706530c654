"""What a benchmark found: one line of the table, and its command."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, with what it was measured against in the same run."""

    what: str
    ours: float
    unit: str
    against: str = ""  # what the control is
    control: float | None = None
    more_is_better: bool = True
    goal: str = ""  # of the ratio, or of the value itself

    @property
    def ratio(self) -> float | None:
        """How many times better than the control (less than one is worse)."""
        if not self.control or not self.ours:
            return None
        return self.ours / self.control if self.more_is_better else self.control / self.ours


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as lines."""
    rows = [("what", "maild", "", "control", "", "better by", "goal")]
    for each in figures:
        control = "" if each.control is None else _number(each.control)
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}x"
        rows.append((each.what, _number(each.ours), each.unit, control, each.against, ratio, each.goal))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = (1, 3, 5)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
