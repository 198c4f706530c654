"""What a customer says of our work with one click: a mark such as "3/3", in the subject or alone on a line.

It reads the same in every language; whatever else he writes is his own words.
"""

import re
from typing import Final

MARKS: Final = {3: "3/3", 2: "2/3", 1: "1/3"}  # good, fair, bad
_MARK: Final = re.compile(r"(?<![\d/])([1-3])\s?/\s?3(?![\d/])")
_MARK_ALONE: Final = re.compile(rf"\s*{_MARK.pattern}[.!]?\s*")
SUBJECT_READ: Final = 400  # characters


def read(subject: str, text: str) -> tuple[int | None, str]:
    """Return the rating that a mail says, None if it says none, and what else its author wrote."""
    lines = text.splitlines()
    marks = [line for line in lines if _MARK_ALONE.fullmatch(line[:40])]
    found = _MARK.search(subject[:SUBJECT_READ]) or (_MARK.search(marks[0]) if marks else None)
    words = "\n".join(line for line in lines if line not in marks).strip()
    return (int(found[1]) if found else None), words
