"""The author's part of a mail's lines: what to show as new, what only came along.

`quotes` says what each line is; here it is decided what may go. The laws, in order:

1. Never empty: if nothing of the author's would be left, everything stays.
2. What was passed on (a forward) is content and stays; so does an old mail without quote marks in a mail that
   answers none.
3. Answers between quotes: from the first line to the last of the author's everything stays. Where nothing
   marks the quote, what we sent shows it, or the author says it ("see my answers below").
4. A quote below the author's words goes; so does one above them if it is announced as a quote.
5. A signature goes if it is marked as one by structure, or is the one line of a telephone.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from maild.message import announcements, phrases, quotes, signatures
from maild.message.announcements import Announcement

#: What may be known of a line from elsewhere (see `own`): in a quote, surely in one, signature, old from here.
PLAIN, QUOTED, CITED, SIGNED, BELOW = "", "q", "c", "s", "x"

_RUN = re.compile("[qae]+")  # of the kinds of lines

#: What `phrases.ANSWERED_BELOW` says in one word, and of what it says in several the longest word behind a space:
#: one search for these passes over most mails, a search for each phrase takes ten times as long.
_SAID_IN_A_WORD = tuple(phrase for phrase in phrases.ANSWERED_BELOW if " " not in phrase)
_SAID_IN_ASCII = tuple(word for word in _SAID_IN_A_WORD if word.isascii())
_MAY_SAY = re.compile(
    " (?:"
    + "|".join(sorted({max(phrase.split()[1:], key=len) for phrase in phrases.ANSWERED_BELOW if " " in phrase}))
    + ")"
)

_PROOF_CHARACTERS = 16  # a shorter line of ours may be anybody's
_SAID_CHARACTERS = 600  # within which it is said that the answers stand below
_PASSAGE_CHARACTERS = 40  # less of ours than this is a phrase that anybody may repeat


class Ours:
    """The texts that we ourselves sent, to be recognised wherever they come back, marked as quotes or not."""

    def __init__(self, texts: Sequence[str], characters: int = 200_000) -> None:
        self._whole = "\n".join("".join(_squeezed(line) for line in text[:characters].split("\n")) for text in texts)[
            :characters
        ]

    def places(self, lines: Sequence[str], comparisons: int = 40_000_000) -> dict[int, tuple[int, int]]:
        """Return where in our texts the lines stand: index -> (start, end), in characters without white space.

        Short lines count only where they follow on one that is long enough to prove something. The work is
        bounded by `comparisons` (characters of ours times lines); lines beyond are not recognised.
        """
        found: dict[int, tuple[int, int]] = {}
        last = -1
        for index, line in enumerate(lines[: comparisons // max(1, len(self._whole))] if self._whole else ()):
            body = _squeezed(line[: quotes.LINE_SEEN])
            if not body:
                continue
            at = self._whole.find(body, last, last + len(body) + 1) if last >= 0 else -1
            if at < 0 and len(body) >= _PROOF_CHARACTERS:
                at = self._whole.find(body)
            if at >= 0:
                if last < 0:
                    self._go_back(lines, index, at, found)
                found[index] = (at, at + len(body))
            last = at + len(body) if at >= 0 else -1
        return dict(sorted(found.items()))

    def _go_back(self, lines: Sequence[str], index: int, start: int, found: dict[int, tuple[int, int]]) -> None:
        """Take the short lines along that stand above line `index` in ours, too, as "Dear Ada," does."""
        for above in range(index - 1, max(-1, index - 6), -1):
            body = _squeezed(lines[above][: quotes.LINE_SEEN])
            if above in found or not self._whole.endswith(body, 0, start):
                return
            if body:
                found[above] = (start - len(body), start)
                start -= len(body)


def _squeezed(line: str) -> str:
    """Return `line` without quote marks and white space: what survives any mail program's folding."""
    return "".join(line.lstrip("> \t").split())


def own(
    lines: Sequence[str],
    marks: Sequence[str] = (),
    *,
    ours: Ours | None = None,
    answer: bool = True,
    forward: bool = False,
    signed: bool = False,
) -> list[bool]:
    """Tell of each line whether it belongs to the new text.

    `marks` says what is known of each line from elsewhere (HTML structure), `ours` what we sent earlier,
    `answer` whether the mail answers another, `forward` whether its subject says that it passes one on,
    `signed` whether the author's own signature stays.
    """
    kind = quotes.kinds(lines)
    if forward or _mark(lines, kind, marks):
        return [True] * len(lines)
    places = ours.places(lines) if ours else {}
    cut = size = len(lines)
    for one in _announcements(lines, kind, marks):
        if one.forward or (one.firm and not answer and not places and not _is_marked(one, kind)):
            return [True] * size
        cut = _announce(one, kind, places)
        if cut < size:
            if not places and _says_below(lines[:cut]):
                return [True] * size
            break
    _mark_ours(kind, places, cut)
    return _decide(lines, _with_rests(lines, "".join(kind), cut), cut, answer=answer, signed=signed)


def _mark(lines: Sequence[str], kind: list[str], marks: Sequence[str]) -> bool:
    """Take over the marks; return whether what they mark was passed on."""
    before = PLAIN
    for at, mark in enumerate(marks):
        if mark == PLAIN or kind[at] == "e":
            continue
        if mark in (QUOTED, CITED) and before == PLAIN and announcements.is_forward(lines[at]):
            return True
        if mark == CITED:
            kind[at] = "q" if before == CITED else "a"
        elif mark != BELOW:
            kind[at] = mark
        before = mark
    return False


def _announcements(lines: Sequence[str], kind: Sequence[str], marks: Sequence[str]) -> list[Announcement]:
    found = announcements.find(lines, kind)
    if BELOW in marks:
        at = marks.index(BELOW)
        found = sorted(
            [*found, Announcement(at, at, firm=True, forward=announcements.is_forward(lines[at]))],
            key=lambda one: one.start,
        )
    return found


def _is_marked(one: Announcement, kind: Sequence[str]) -> bool:
    """Tell whether what an announcement announces is marked as quoted."""
    return next((kind[at] in "qa" for at in range(one.end, len(kind)) if kind[at] != "e"), False)


def _announce(one: Announcement, kind: list[str], places: dict[int, tuple[int, int]]) -> int:
    """Mark the lines of an announcement; return where everything below is cut, else the number of lines."""
    size = len(kind)
    marked = _is_marked(one, kind)
    if not marked and not one.firm:
        return size
    if not marked and "t" in kind[: one.start] and not _answered_inside(kind, places, one.end):
        return one.start
    if marked or any(at >= one.end for at in places):
        kind[one.start : one.end] = ["a"] * (one.end - one.start)
    return size


def _says_below(lines: Sequence[str]) -> bool:
    """Tell whether the author says that he answers inside the old text, as Outlook's users do."""
    words = " ".join(" ".join(lines[:_SAID_CHARACTERS])[:_SAID_CHARACTERS].casefold().split())
    if _MAY_SAY.search(words) is not None and any(phrase in words for phrase in phrases.ANSWERED_BELOW):
        return True
    return any(word in words for word in (_SAID_IN_ASCII if words.isascii() else _SAID_IN_A_WORD))


def _answered_inside(kind: Sequence[str], places: dict[int, tuple[int, int]], start: int) -> bool:
    """Tell whether somebody wrote between the lines of a text of ours, below `start`."""
    return any(
        0 <= places[after][0] - places[before][1] < 4 and "t" in kind[before + 1 : after]
        for before, after in pairwise(at for at in places if at >= start)
    )


def _mark_ours(kind: list[str], places: dict[int, tuple[int, int]], cut: int) -> None:
    """Count what we sent ourselves as quoted, where it is a passage and not a phrase that somebody may repeat."""
    passage: list[int] = []
    for at in (*places, -1):
        follows = (
            passage and at >= 0 and "t" not in kind[passage[-1] + 1 : at] and places[at][0] >= places[passage[-1]][1]
        )
        if passage and not follows:
            _mark_passage(kind, passage, places, cut)
            passage = []
        passage.append(at)


def _mark_passage(kind: list[str], passage: list[int], places: dict[int, tuple[int, int]], cut: int) -> None:
    if sum(places[at][1] - places[at][0] for at in passage) < _PASSAGE_CHARACTERS:
        return
    mine = [at for at in passage if at < cut and kind[at] == "t"]
    for at in mine:
        kind[at] = "a" if at == mine[0] else "q"


def _with_rests(lines: Sequence[str], kind: str, cut: int) -> str:
    """Return `kind` with what was folded out of a quoted line counted as quoted."""
    rests: list[int] = []
    at = kind.find("qtq") + 1
    while 0 < at < cut:
        if quotes.is_rest(lines[at - 1], lines[at]):
            rests.append(at)
        at = kind.find("qtq", at) + 1
    if not rests:
        return kind
    kinds = list(kind)
    for at in rests:
        kinds[at] = "q"
    return "".join(kinds)


def _decide(lines: Sequence[str], kind: str, cut: int, *, answer: bool, signed: bool) -> list[bool]:
    """Apply the laws to the lines above `cut`; `kind` has one letter for each line."""
    size = len(lines)
    last = signatures.start(lines, kind, cut)
    above_quote = end = _without_last_quote(lines, kind, last, answer=answer)
    if end < size:
        above_quote = end = _without_rules(lines, kind, end)
    if last < cut or kind[end:last].strip("e"):  # above what went there may be another one
        end = signatures.start(lines, kind, end)
    if "t" not in kind[:end]:
        return [True] * size
    keep = [True] * end + [False] * (size - end)
    if "s" in kind:
        keep[:end] = [each != "s" for each in kind[:end]]
    above = _quotes_above(kind, end)
    if len(above) == 1:
        start, stop = above[0]
        if "a" in kind[start:stop] or (answer and "t" not in kind[:start]):
            keep[start:stop] = [False] * (stop - start)
    if signed:  # below the last words, or below the quote that follows them; what HTML marks as one, wherever it stands
        for at in (*range(end, above_quote), *range(last, cut), *(at for at in range(cut) if kind[at] == "s")):
            keep[at] = True
    return keep


def _without_last_quote(lines: Sequence[str], kind: str, end: int, *, answer: bool) -> int:
    """Return where the quote begins that ends the mail; `end` if it ends with the author's words."""
    last = kind.rfind("t", 0, end)
    if kind.find("a", last + 1, end) >= 0:
        return last + 1
    tail = range(last + 1, end)
    # What only has lines of ">>> " is no quote of a quote of a quote but what Python's prompt looks like.
    return last + 1 if answer and any(kind[at] == "q" and not lines[at].startswith(">>> ") for at in tail) else end


def _without_rules(lines: Sequence[str], kind: str, end: int) -> int:
    """Take rules off the end: they belong to what was cut."""
    while end > 0 and (kind[end - 1] == "e" or (kind[end - 1] == "t" and quotes.is_rule(lines[end - 1]))):
        end -= 1
    return end


def _quotes_above(kind: str, end: int) -> list[tuple[int, int]]:
    """Return the runs of quoted lines, with what announces them, above the author's last line."""
    if "q" not in kind and "a" not in kind:
        return []
    last = kind.rfind("t", 0, end)
    runs = ((run.start(), run.start() + len(run.group().rstrip("e"))) for run in _RUN.finditer(kind, 0, last))
    return [(start, stop) for start, stop in runs if stop > start]
