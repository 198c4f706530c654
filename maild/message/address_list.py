"""The addresses in From, To and their like (RFC 5322 3.4), read as people write them.

Groups, comments, quoted and encoded names, routes, forgotten quotes and brackets are all understood; what holds no
address at all is kept as it stands, so that nothing is lost. One pass over the text: linear, and never recursive.
"""

import re
from typing import Final

from maild.message.address import Address
from maild.message.headers import clean, plain, words

LIST_BYTES: Final = 65_536  # 500 addresses with names fit; this reader is linear, so it may see more than 8 KiB
ADDRESSES: Final = 500

_PLAIN: Final = re.compile(r"[^\"(<>,;:\[=\\]+")
_WORD: Final = re.compile(r"=\?[^?\s]{1,80}\?[bBqQ]\?[^?]*\?=")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ADDRESS_END: Final = re.compile(r"[,;\s]")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BRACKETS: Final = re.compile(r"[()]|\\.", re.DOTALL)
_ROUTE: Final = re.compile(r"@[^:<>]*:(?=[^:]*@)")


# The forms in which nearly every mail has one, read without ado.
_USUAL: Final = re.compile(
    rb"\s*(?:\"([^\"\\<>\r\n]*)\"|([A-Za-z0-9 .'_/-]*?)|((?:=\?[A-Za-z0-9-]+\?[BQbq]\?[A-Za-z0-9_=.+/-]*\?=\s*)+))"
    rb"\s*<([A-Za-z0-9._+/-]+@[A-Za-z0-9.-]+)>\s*"
    rb"|\s*([A-Za-z0-9._+/-]+@[A-Za-z0-9.-]+)\s*"
)
_USUAL_BYTES: Final = 500
_USUAL_ADDRESSES: Final = 20


def read(value: bytes, fallback: str = "") -> tuple[Address, ...]:
    """Return the addresses of a raw header value, at most ADDRESSES of them, in their order."""
    usual = _usual(value)
    if usual:
        return usual
    found = _Reader(plain(value[:LIST_BYTES], fallback)).addresses()
    if b"=?" in value and not all(_is_plausible(one.address) for one in found):
        # the encoded word holds the address too: decode first, then read
        again = _Reader(words(plain(value[:LIST_BYTES], fallback))).addresses()
        if any(_is_plausible(one.address) for one in again):
            found = again
    return tuple(found[:ADDRESSES])


def _usual(value: bytes) -> tuple[Address, ...]:
    """Return the addresses of a value in which all of them have usual forms, () if one has not."""
    if not value.isascii() or value.count(b",") >= _USUAL_ADDRESSES:
        return ()
    found: list[Address] = []
    for each in (value,) if b'"' in value else value.split(b","):  # within quotes a comma separates nothing
        # Without the space around it, which three parts of the form could share in as many ways as there are pairs.
        usual = _USUAL.fullmatch(each.strip()) if len(each) < _USUAL_BYTES else None
        if usual is None:
            return ()
        quoted, name, encoded, named, bare = usual.groups()
        phrase = quoted or name or encoded
        found.append(Address(_name(phrase.decode("ascii")) if phrase else "", (named or bare).decode("ascii")))
    return tuple(found)


def _is_plausible(address: str) -> bool:
    return "@" in address and not any(letter in address for letter in " <>?")


class _Reader:
    """One pass over an address list."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Address] = []
        self.pending = ""  # "Doe" of `Doe, John <j@x>`: a name whose quotes were forgotten, or a local address
        # False once the rest is known to hold no closing one: this keeps the pass linear
        self.quotes = self.comments_end = self.angles_end = True
        self._reset()

    def _reset(self) -> None:
        self.phrase: list[str] = []
        self.comments: list[str] = []
        self.angle: str | None = None
        self.has_at = False

    def addresses(self) -> list[Address]:
        """Return what was found."""
        text, at = self.text, 0
        while at < len(text) and len(self.found) < ADDRESSES:
            letter = text[at]
            if letter == "<":
                at = self._angle(at)
            elif letter in ",;":
                self._flush(letter)
                at += 1
            elif letter == ":" and not self.has_at:
                self.phrase = []  # RFC 5322 3.4: the name of a group
                at += 1
            elif letter == "(":
                at = self._comment(at)
            else:
                at = self._piece(at, letter)
        self._flush("")
        return self.found

    def _piece(self, at: int, letter: str) -> int:
        """Read a piece of a name or of a bare address; return where to go on."""
        text = self.text
        end = at + 1
        if letter == '"' and self.quotes:
            match = _QUOTED.match(text, at)
            self.quotes = match is not None
            end = match.end() if match else end
        elif letter == "[":
            end = text.find("]", at, at + 256) + 1 or end  # a domain literal, whose colons are its own
        elif letter == "=" and (word := _WORD.match(text, at)):
            end = word.end()
        elif match := _PLAIN.match(text, at):
            end = match.end()
        self.has_at = self.has_at or text.find("@", at, end) >= 0
        self.phrase.append(text[at:end])
        return end

    def _comment(self, at: int) -> int:
        """Read a comment, or the bracket alone if it never ends; return where to go on."""
        end = _comment_end(self.text, at) if self.comments_end else 0
        if not end:
            self.comments_end = False
            self.phrase.append("(")
            return at + 1
        self.comments.append(self.text[at + 1 : end - 1])
        self.phrase.append(" ")
        return end

    def _angle(self, at: int) -> int:
        """Read what stands in angle brackets; return where to go on."""
        text = self.text
        while text[at + 1 : at + 2] == "<":
            at += 1
        end = text.find(">", at) if self.angles_end else -1
        if end < 0:
            self.angles_end = False
            stop = _ADDRESS_END.search(text, at + 1)
            end = stop.start() if stop else len(text)
        inner = text[at + 1 : end]
        name, bracket, last = inner.rpartition("<")
        if bracket:  # `<John <j@x>>`
            self.phrase.append(name)
            inner = last
        if self.angle is None or "@" not in self.angle:
            self.angle = inner
        while text[end : end + 1] == ">":
            end += 1
        return max(end, at + 1)

    def _flush(self, separator: str) -> None:
        """Make an address of what was gathered since the last separator."""
        phrase = "".join(self.phrase).strip()
        comment = " ".join(self.comments).strip()
        angle = None if self.angle is None else self.angle.strip()
        self._reset()
        if angle is not None:
            if self.pending and (phrase or separator == ""):
                phrase = f"{self.pending}, {phrase}" if phrase else self.pending
            elif self.pending:
                self.found.append(Address("", self.pending))
            self.pending = ""
            self.found.append(_address(phrase, comment, angle))
            return
        if not phrase:
            return
        if self.pending:
            self.found.append(Address("", self.pending))
            self.pending = ""
        if "@" not in phrase and separator == "," and not comment:
            self.pending = phrase
            return
        self.found.append(_bare(phrase, comment))


def _comment_end(text: str, at: int) -> int:
    """Return the offset behind the comment that begins at `at`, 0 if it never ends."""
    depth = 0
    for match in _BRACKETS.finditer(text, at):
        if match.group(0) == "(":
            depth += 1
        elif match.group(0) == ")":
            depth -= 1
            if depth == 0:
                return match.end()
    return 0


def _name(phrase: str) -> str:
    """Return a display name: quotes off, encoded words decoded."""
    if '"' in phrase:
        phrase = _QUOTED.sub(lambda match: _ESCAPED.sub(r"\1", match.group(1)), phrase)
    name = " ".join(words(phrase).split())
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    return name


def _address(phrase: str, comment: str, angle: str) -> Address:
    """Return the address in `angle` with the name in `phrase`, else in `comment`."""
    if angle.startswith("@"):
        angle = _ROUTE.sub("", angle, count=1)
    if "=?" in angle:
        angle = words(angle)
    if angle[:7].lower() == "mailto:":
        angle = angle[7:]
    address = clean(angle.strip(" '<>"))
    if "@" not in address and "@" in phrase and " " not in phrase.strip("\" '"):
        address, phrase = phrase.strip("\" '"), ""  # `"j@x" <>`
    return Address(_name(phrase) or _name(comment), address)


def _bare(phrase: str, comment: str) -> Address:
    """Return the address of a mailbox without angle brackets."""
    pieces = phrase.split()
    with_at = [piece for piece in pieces if "@" in piece]
    if len(with_at) == 1 and len(pieces) > 1 and '"' not in with_at[0]:
        name = " ".join(piece for piece in pieces if piece is not with_at[0])
        return Address(_name(name) or _name(comment), clean(with_at[0].strip("'\"<>[]")))
    address = phrase if phrase.startswith('"') and '"@' in phrase else words(phrase).strip("'\"")
    return Address(_name(comment), clean(address))
