"""What an HTML element passes on to what is in it: hidden or not, with white space or not, quoted how deep.

Only what decides about text is read of a style; style sheets are not.
"""

import html as entities
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

HIDDEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?<![a-z-])opacity\s*:\s*0(?:\.0+)?\s*(?:[;!]|\Z)"
    r"|max-height\s*:\s*0(?:px|em|pt|%)?\s*(?:[;!]|\Z)(?=.*overflow\s*:\s*hidden)"
    r"|overflow\s*:\s*hidden(?=.*max-height\s*:\s*0(?:px|em|pt|%)?\s*(?:[;!]|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_FONT_SIZE: Final = re.compile(r"font-size\s*:\s*([0-9.]*)\s*([a-z%]*)", re.IGNORECASE)
_PRE: Final = re.compile(r"white-space\s*:\s*(pre|break-spaces)?", re.IGNORECASE)
_REMEMBERED_CHARACTERS: Final = 300
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


def styled(state: State, name: str, given: Mapping[str, str]) -> State:
    """Return what an element with these attributes passes on."""
    if name in _DROPPED:
        return state._replace(hidden=True)
    if name in ("pre", "listing", "xmp", "textarea"):
        state = state._replace(pre=True)
    if not given:
        return state
    written = given.get("style", "")
    if written:
        style = _remembered(written) if len(written) <= _REMEMBERED_CHARACTERS else _style(written)
        if style.hidden:
            return state._replace(hidden=True)
        tiny = state.tiny if style.tiny is None else style.tiny
        pre = state.pre if style.pre is None else style.pre
        if tiny != state.tiny or pre != state.pre:
            state = state._replace(tiny=tiny, pre=pre)
    if "hidden" in given:
        return state._replace(hidden=True)
    return state


class _Style(NamedTuple):
    """What a style says of what is in its element; None: nothing."""

    hidden: bool = False
    tiny: bool | None = None
    pre: bool | None = None


def _style(written: str) -> _Style:
    style = entities.unescape(written)
    if HIDDEN.search(style):
        return _Style(hidden=True)
    size = _FONT_SIZE.search(style)
    pre = _PRE.search(style)
    return _Style(
        tiny=bool(size.group(1)) and _is_tiny(size.group(1), size.group(2).lower()) if size else None,
        pre=bool(pre.group(1)) if pre else None,
    )


@lru_cache(maxsize=1_024)
def _remembered(written: str) -> _Style:
    """Return the same for a short style: a mail has few, and those many times."""
    return _style(written)


def _is_tiny(number: str, unit: str) -> bool:
    try:
        return float(number) <= (1 if unit in ("px", "pt", "") else 0)
    except ValueError:
        return False
