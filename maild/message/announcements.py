"""Lines that announce a quote: "On ... wrote:", "From: ... Sent: ...", "-----Original Message-----", our own marker.

A line counts by what it names (an address, a date, a time), by its form (a colon or dashes at its end, rows of
headers) and only then by words (`phrases`). Each line is looked at a bounded number of times, and only its first
`LINE_SEEN` characters; most lines are passed over after a look at their ends.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maild.message import phrases
from maild.message.quotes import DASHES, EDGE, LINE_SEEN, quoted

LINES_SEEN = 10_000  # lines that are looked at; announcements below them are not seen

#: The line above which customers are asked to write: `##- Please write above this line -##` in any language.
MARKER_OPENS, MARKER_CLOSES = "##-", "-##"

_WINDOW = 5  # physical lines over which an announcement may be folded
_ROWS = 16  # physical lines that a header block may take

_EMAIL = re.compile(r"[\w.+=*-]{1,64}@[\w-]{1,63}")
_ANGLED = re.compile(r"[<\[(](?:mailto:)?[^<>\[\]()\s]{1,64}@[^<>\[\]()\s]{1,200}[>\])]|<mailto:")
_TIME = re.compile(
    r"(?<!\d)\d{1,2}\s?[:.h時시点點]\s?\d{2}(?!\d)|\b\d{1,2}\s?[ap]\.?m\b|\d{1,2}[点點時시]", re.IGNORECASE
)
_NUMBERED_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d{2}(?!\d)|(?<!\d)\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}(?!\d)|\d{1,2}[月월]"
)
_NAMED_DATE = re.compile(
    r"(?<!\d)\d{1,2}[.,]?(?:\sde|\sof)?\s?(?!(?:am|pm|kl|uhr)\b)[^\W\d_]{3,12}\b|\b[^\W\d_]{3,12}\.?\s\d{1,2}(?:,|\s|$)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_AROUND = EDGE + ">"
_AROUND_RULE = EDGE + DASHES + ">:"
_COLON_OR_EDGE = ":：;" + EDGE
_ORIGINAL = re.compile("|".join(re.escape(word) for word in phrases.ORIGINAL))
_FORWARDED = re.compile("|".join(re.escape(word) for word in phrases.FORWARDED))
_GLUED_LINE = re.compile(
    r"^([^>\n-][^\n]{0,300}?[^\s-])(?:[ \t\xa0]{1,8}|(?=-{2,} ?On ))(-{0,10} ?On \w{2,9},? [^\n]{6,200} wrote:)[ \t]*$"
)
_GLUED_RULE = re.compile(r"^([^>\n][^\n]{0,2000}?[^\s-])[ \t]{0,8}(-{4,20} ?(\w[^\n-]{3,40}\w) ?-{4,20})([^\n]*)$")
_ENDS = ":：>;" + DASHES  # an announcement ends in one of these


@dataclass(frozen=True, slots=True)
class Announcement:
    """Lines `start` to `end` (not included) that say that a quote follows."""

    start: int
    end: int
    firm: bool  # enough to cut everything below, even without a `>` there
    forward: bool = False  # what follows was passed on


def is_marker(line: str) -> bool:
    """Tell whether `line` is the one above which we ask people to write."""
    body = line[:LINE_SEEN].strip("> " + EDGE)
    return body.startswith(MARKER_OPENS) and body.endswith(MARKER_CLOSES)


def is_forward(line: str) -> bool:
    """Tell whether `line` is a rule that says that what follows was passed on."""
    stripped = line[:LINE_SEEN].strip()
    return _is_dashed(stripped) and _FORWARDED.search(stripped.casefold()) is not None


def is_named_rule(words: str) -> bool:
    """Tell whether `words`, found between dashes, are "Original message" or "Forwarded message"."""
    folded = words.casefold()
    return _ORIGINAL.fullmatch(folded) is not None or _FORWARDED.fullmatch(folded) is not None


def find(lines: Sequence[str], kind: Sequence[str]) -> list[Announcement]:
    """Return what announces a quote at the author's own level, in order, not overlapping."""
    found: list[Announcement] = []
    done = 0
    for index in _suspects(lines[:LINES_SEEN], kind):
        line = lines[index]
        if index < done or kind[index] not in "tq" or len(line) > 2 * LINE_SEEN:
            continue
        last = line[-1]
        if last in EDGE:
            last = line.rstrip(EDGE)[-1:] or last
        if last not in _ENDS and ":" not in line[:40] and "：" not in line[:40] and line[0] not in _OPENERS:
            continue
        one = _announcement(lines, kind, index, line.strip(), last)
        if one is not None:
            while found and found[-1].end > one.start:
                found.pop()
            found.append(one)
            done = one.end
    return found


_OPENERS = DASHES + "#O \t"  # "Original Message processed by ..." has nothing else to be known by
_CLOSERS = frozenset(_ENDS + EDGE)


def _suspects(lines: Sequence[str], kind: Sequence[str]) -> list[int]:
    """Return which lines are worth a closer look: those with a colon, or with a sign for it at one of their ends.

    Of quoted lines, of which a long answer has hundreds, only the end says anything.
    """
    return [
        index
        for index, (line, each) in enumerate(zip(lines, kind, strict=False))
        if (
            not line[-1].isalnum()
            if each == "q"
            else line and (":" in line or line[-1] in _CLOSERS or line[0] in _OPENERS or "：" in line)
        )
    ]


def _announcement(lines: Sequence[str], kind: Sequence[str], index: int, line: str, last: str) -> Announcement | None:
    """Return what the line at `index` ends or begins, None for an ordinary line."""
    if kind[index] == "q":
        if line.endswith(">>>") and line.startswith(">>>"):
            return _groupwise(index, line)
        return _folded_tail(lines, index, line) if last in ":：" else None
    if line[:2] == "##" and is_marker(line):
        return Announcement(index, index + 1, firm=True)
    one = _rule(index, line) if _is_dashed(line) or line.startswith("Original Message processed by") else None
    if one is None and last in ":：" and len(line) <= 60 and _FORWARDED.match(line.casefold()):
        one = _forward_of_apple(lines, index)
    if one is None and (":" in line[:40] or "：" in line[:40]):
        one = _header_block(lines, kind, index)
    words = line.rstrip(EDGE)
    if one is None and words and last in _ENDS:
        one = _attribution(lines, kind, index, words)
    return one


def _groupwise(index: int, line: str) -> Announcement | None:
    """Read `>>> Acme Support <support@acme.example> 11/2/2026 10:00 AM >>>`; GroupWise marks nothing below it."""
    if len(line) <= LINE_SEEN and _NUMBERED_DATE.search(line) and _TIME.search(line):
        return Announcement(index, index + 1, firm=True)
    return None


def _forward_of_apple(lines: Sequence[str], index: int) -> Announcement | None:
    """Read "Begin forwarded message:", below which Apple Mail quotes what is passed on."""
    below = (line for line in lines[index + 1 : index + 4] if line.strip(_AROUND))
    return Announcement(index, index + 1, firm=True, forward=True) if row(next(below, "")) is not None else None


def _is_dashed(line: str) -> bool:
    return len(line) > 2 and (not line[:2].strip(DASHES) or not line[-2:].strip(DASHES))


def _rule(index: int, line: str) -> Announcement | None:
    """Read a line like `-----Original Message-----`."""
    body = line.strip(_AROUND_RULE).casefold()
    if not body or len(body) > 90:
        return None
    if _FORWARDED.search(body):
        return Announcement(index, index + 1, firm=True, forward=True)
    if _ORIGINAL.search(body):
        return Announcement(index, index + 1, firm=True)
    named = _EMAIL.search(body) is not None
    if _NUMBERED_DATE.search(body) and (named or (_TIME.search(body) and _says_wrote(body))):
        return Announcement(index, index + 1, firm=True)
    return Announcement(index, index + 1, firm=False) if _ends_in_wrote(body) and len(body) <= 60 else None


def _says_wrote(text: str) -> bool:
    """Tell whether a word for "wrote" is in the folded `text`."""
    return not phrases.WROTE.isdisjoint(_WORD.findall(text)) or text.endswith(phrases.WROTE_ENDINGS)


def _ends_in_wrote(text: str) -> bool:
    return text.endswith(phrases.WROTE_ENDINGS) or not phrases.WROTE.isdisjoint(_WORD.findall(text[-30:])[-1:])


def row(line: str) -> str | None:
    """Return which header's row `line` is (a value of `phrases.HEADS`), None if it is none."""
    head = line[:60]
    at = head.find(":")
    wide = head.find("：")
    if at < 0 or 0 <= wide < at:
        at = wide
    if at <= 0:
        return None
    return phrases.HEADS.get(head[:at].strip(_AROUND).casefold())


def _header_block(lines: Sequence[str], kind: Sequence[str], index: int) -> Announcement | None:
    """Read the rows `From: ... Sent: ... To: ... Subject: ...` that begin at `index`, and the words above them."""
    first = row(lines[index])
    if first is None or first == "copy":
        return None
    rows = {first}
    count, end, strange = 1, index + 1, 0
    seen = [lines[index][:LINE_SEEN]]
    for at in range(index + 1, min(index + _ROWS, len(lines))):
        name = row(lines[at])
        if name is not None and (name not in rows or name == "copy"):
            rows.add(name)
            count, end, strange = count + 1, at + 1, 0
        elif name is not None:
            break
        elif kind[at] == "e":
            if count >= 3 or (at + 1 < len(lines) and row(lines[at + 1]) is None):
                break
            continue
        else:
            strange += 1
        seen.append(lines[at][:LINE_SEEN])
        if strange > 2:
            break
    if count < 2 or not _is_header_block(rows, count, " ".join(seen)):
        return None
    return _with_heading(lines, kind, Announcement(index, end, firm=True))


def _is_header_block(rows: set[str], count: int, joined: str) -> bool:
    """Judge the rows found: somebody, at some time, to somebody, about something."""
    person = "from" in rows or "to" in rows
    if not person or ("when" not in rows and not rows >= {"from", "to", "about"}):
        return False
    dated = bool(_NUMBERED_DATE.search(joined) or (_NAMED_DATE.search(joined) and _TIME.search(joined)))
    address = bool(_EMAIL.search(joined))
    if count >= 4:
        return dated or address
    if count == 3:
        return (dated and "when" in rows) or (address and "from" in rows)
    return count == 2 and "when" in rows and address and dated and bool(_TIME.search(joined))


def _with_heading(lines: Sequence[str], kind: Sequence[str], block: Announcement) -> Announcement:
    """Take along what stands above a header block: "Original Message", "--- Ada wrote: ---"."""
    above = block.start - 1
    while above > block.start - 3 and above >= 0 and kind[above] == "e":
        above -= 1
    if above < 0 or kind[above] != "t" or len(lines[above]) > 120:
        return block
    body = lines[above].strip(EDGE + ">:").casefold()
    if _is_dashed(body) and (_says_wrote(body.strip(EDGE + DASHES + ":")) or _EMAIL.search(body)):  # Notes
        return Announcement(above, block.end, firm=True)
    if _FORWARDED.match(body):
        return Announcement(above, block.end, firm=True, forward=True)
    if _ORIGINAL.match(body) and len(body.split()) <= 5:
        return Announcement(above, block.end, firm=True)
    return block


def _folded_tail(lines: Sequence[str], index: int, line: str) -> Announcement | None:
    """Read `> wrote:`, left over from an address whose closing bracket was folded to the next line."""
    body = line.lstrip("> \t").rstrip(EDGE + ":：")
    if len(body) > 40 or not _ends_in_wrote(body.casefold()):
        return None
    opened = False
    for start in range(index - 1, max(-1, index - 1 - _WINDOW), -1):
        above = lines[start][:LINE_SEEN]
        if quoted(above):
            return None
        opened = opened or "<" in above
        if opened and (_TIME.search(above) or _NUMBERED_DATE.search(above)):
            return Announcement(start, index + 1, firm=True)
    return None


@dataclass(slots=True)
class _Evidence:
    """What the lines of a would-be attribution name."""

    colon: bool  # the last line ends in one
    wrote: bool  # a word for "wrote" is in it
    below: str  # the kind of line that follows
    email: bool = False
    angled: bool = False
    named: bool = False
    numbered: bool = False
    time: bool = False

    def add(self, text: str) -> None:
        """Take in one more line."""
        if "@" in text:
            self.email = self.email or bool(_EMAIL.search(text))
            self.angled = self.angled or bool(_ANGLED.search(text))
        elif "mailto:" in text:
            self.angled = True
        if not _DIGIT.search(text):  # as most folded lines: no date, no time
            return
        self.time = self.time or bool(_TIME.search(text))
        self.numbered = self.numbered or bool(_NUMBERED_DATE.search(text))
        self.named = self.named or self.numbered or bool(_NAMED_DATE.search(text))

    @property
    def dated(self) -> bool:
        """Tell whether both a date and a time were seen."""
        return self.time and self.named

    def judge(self) -> bool | None:
        """Return True for a firm attribution, False for one that needs a `>` below, None for none."""
        marked = self.below == "q"
        if not self.colon:
            return False if marked and self.angled and (self.numbered or self.dated) else None
        if self.angled and (self.numbered or self.dated or self.wrote):
            return True
        if self.wrote and (self.dated or (self.email and (self.time or self.named))):
            return True
        return False if marked and (self.wrote or self.dated or (self.email and self.named)) else None


def _attribution(lines: Sequence[str], kind: Sequence[str], index: int, line: str) -> Announcement | None:
    """Read "On 3 June 2024 at 12:53, Ada <ada@x.example> wrote:", in any language, ending at `index`."""
    below = _below(kind, index)
    if below != "q" and line[-1] not in ":：;":
        return None
    wrote = _says_wrote(line.rstrip(_COLON_OR_EDGE).casefold())
    if not wrote:  # then a date or an address is needed
        window = "\n".join([one[:LINE_SEEN] for one in lines[max(0, index - _WINDOW + 1) : index + 1]])
        if not _DIGIT.search(window) or (below != "q" and "@" not in window and "mailto:" not in window):
            return None
    evidence = _Evidence(line[-1] in ":：" or (line[-1] == ";" and wrote), wrote, below)
    best = None
    length = 0
    for start in range(index, max(-1, index - _WINDOW), -1):
        text = lines[start]
        length += len(text)
        if kind[start] == "e" and lines[start + 1].lstrip()[:1] == "<":
            continue
        if kind[start] != "t" or length > LINE_SEEN or (best is not None and not _continues(text, lines[start + 1])):
            break
        known = evidence.dated
        evidence.add(text)
        firm = evidence.judge()
        if firm is not None and (best is None or firm > best.firm or evidence.dated > known):
            best = Announcement(start, index + 1, firm=firm)
        if best is not None and best.firm and evidence.dated:
            break
    return best


def _continues(above: str, line: str) -> bool:
    """Tell whether `line` goes on with the sentence of the line `above`, which was folded."""
    first = line.lstrip()[:1]
    return first == "<" or first.islower() or above.rstrip()[-1:] in ("<", ",") or len(above) >= 60


def _below(kind: Sequence[str], index: int) -> str:
    """Return the kind of the next line that is not empty, `e` at the end."""
    for at in range(index + 1, min(index + 12, len(kind))):
        if kind[at] != "e":
            return kind[at]
    return "e"


def unglued(text: str) -> str:
    """Return `text` with announcements that stand behind the author's words on their line put on lines of their own.

    Seen in practice: Yahoo ("Ada    On Saturday, 4 May, ... wrote:"), telephones ("end.----- Original Message -----").
    """
    text = _in_lines_with(" wrote:", _unglued_line, text)
    return _in_lines_with("----", _unglued_rule, text)


def _in_lines_with(words: str, work: Callable[[str], str], text: str) -> str:
    """Return `text` with `work` done to the lines that hold `words`; a pattern tried on every line is far slower."""
    at = text.find(words) if words[-1] in text else -1  # one character is found ten times as fast as several
    if at < 0:
        return text
    done = 0
    out: list[str] = []
    while at >= 0:
        start = text.rfind("\n", done, at) + 1 or done
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        out += (text[done:start], work(text[start:end]))
        done = end
        at = text.find(words, end)
    out.append(text[done:])
    return "".join(out)


def _unglued_line(line: str) -> str:
    # The announcement itself begins with "On", behind one word at least.
    return _GLUED_LINE.sub(r"\1\n\2", line) if line.find("On ", 1) > 0 else line


def _unglued_rule(line: str) -> str:
    # Words between two rules of dashes; most lines with dashes are one rule.
    return _GLUED_RULE.sub(_apart, line) if line.count("----") >= 2 else line


def _apart(match: re.Match[str]) -> str:
    if not is_named_rule(match.group(3)):
        return match.group()
    return f"{match.group(1)}\n{match.group(2)}\n{match.group(4)}".rstrip("\n")
