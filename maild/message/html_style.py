"""What an HTML element passes on to what is in it: hidden or not, with white space or not, quoted how deep.

Only what decides about text is read of a style; style sheets are not.
"""

import html as entities
import re
from typing import Final, NamedTuple

HIDDEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?<![a-z-])opacity\s*:\s*0(?:\.0+)?\s*(?:[;!]|\Z)"
    r"|max-height\s*:\s*0(?:px|em|pt|%)?\s*(?:[;!]|\Z)(?=.*overflow\s*:\s*hidden)"
    r"|overflow\s*:\s*hidden(?=.*max-height\s*:\s*0(?:px|em|pt|%)?\s*(?:[;!]|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_FONT_SIZE: Final = re.compile(r"font-size\s*:\s*([0-9.]*)\s*([a-z%]*)", re.IGNORECASE)
_PRE: Final = re.compile(r"white-space\s*:\s*(pre|break-spaces)?", re.IGNORECASE)
_DROPPED: Final = frozenset(
    {"svg", "math", "object", "audio", "video", "template", "select", "datalist", "canvas", "map"}
)


class State(NamedTuple):
    """What an element passes on to what is in it."""

    hidden: bool = False
    tiny: bool = False  # letters of no size: only what sets a size again is seen
    pre: bool = False
    quotes: int = 0
    indent: str = ""


def styled(state: State, name: str, given: dict[str, str]) -> State:
    """Return what an element with these attributes passes on."""
    if name in _DROPPED:
        return state._replace(hidden=True)
    if name in ("pre", "listing", "xmp", "textarea"):
        state = state._replace(pre=True)
    if not given:
        return state
    style = given.get("style", "")
    if style:
        style = entities.unescape(style)
        if HIDDEN.search(style):
            return state._replace(hidden=True)
        size = _FONT_SIZE.search(style)
        if size and size.group(1):
            state = state._replace(tiny=_is_tiny(size.group(1), size.group(2).lower()))
        elif size:
            state = state._replace(tiny=False)
        pre = _PRE.search(style)
        if pre:
            state = state._replace(pre=bool(pre.group(1)))
    if "hidden" in given:
        return state._replace(hidden=True)
    return state


def _is_tiny(number: str, unit: str) -> bool:
    try:
        return float(number) <= (1 if unit in ("px", "pt", "") else 0)
    except ValueError:
        return False
