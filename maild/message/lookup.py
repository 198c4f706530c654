"""What the checks of senders ask of the DNS, given to them by the caller: nothing here asks anybody."""

from collections.abc import Callable
from typing import Literal

Kind = Literal["TXT", "A", "AAAA", "MX", "PTR"]

# Returns the answers to (name, kind), () if the name or the kind does not exist. TXT: the strings of a record joined,
# a character for each octet. MX: names, best first. Raises `Unavailable` if it cannot be known now.
Lookup = Callable[[str, Kind], tuple[str, ...]]


class Unavailable(Exception):  # noqa: N818 - a state of the world; the text says what could not be asked
    """The DNS did not answer: nothing follows from it, neither trust nor distrust."""
