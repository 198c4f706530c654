"""Rich Text Format as Outlook uses it for mail: decompressed, then read as text or as the HTML that it wraps.

[MS-OXRTFCP] for the compression, [MS-OXRTFEX] for the wrapped HTML. Linear and bounded: at most TEXT_CHARACTERS come
out, groups are counted, not recursed into.
"""

import re
import struct
from typing import Final, NamedTuple

from maild.message import charset

TEXT_CHARACTERS: Final = 4_000_000
_DEPTH: Final = 1_000
_DICTIONARY: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor "
    rb"MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
_SKIPPED: Final = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer headerl headerr footerl footerr generator listtable "
    b"listoverridetable themedata latentstyles datastore xmlnstbl rsidtbl pntext nonshppict fldinst bkmkstart "
    b"bkmkend".split()
)
_SIGNS: Final = {
    b"par": "\n", b"line": "\n", b"row": "\n", b"sect": "\n", b"page": "\n", b"tab": "\t", b"cell": "\t",
    b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c", b"rdblquote": "\u201d", b"bullet": "\u2022",
    b"endash": "\u2013", b"emdash": "\u2014", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_SYMBOLS: Final = {
    b"~": " ", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\r": "\n", b"\n": "\n",
}  # fmt: skip
_CHARSETS: Final = {
    77: "mac-roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_FONTS: Final = 1_000


def decompressed(data: bytes) -> bytes:
    """Return the RTF that PR_RTF_COMPRESSED holds, as far as it is whole."""
    if len(data) < 16:
        return b""
    raw_size, kind = struct.unpack_from("<4xII", data)
    if kind == 0x414C454D:  # "MELA": stored
        return data[16 : 16 + min(raw_size, 2 * TEXT_CHARACTERS)]
    if kind != 0x75465A4C:  # "LZFu"
        return b""
    most = min(raw_size, 2 * TEXT_CHARACTERS)
    window = bytearray(_DICTIONARY) + bytearray(4096 - len(_DICTIONARY))
    write = len(_DICTIONARY)
    out = bytearray()
    at, end = 16, len(data)
    while at < end and len(out) < most:
        control = data[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 2 > end:
                    return bytes(out)
                token = data[at] << 8 | data[at + 1]
                at += 2
                read = token >> 4
                if read == write % 4096:  # the end mark
                    return bytes(out)
                piece = bytearray()
                for _ in range((token & 15) + 2):
                    octet = window[read % 4096]
                    piece.append(octet)
                    window[write % 4096] = octet
                    read += 1
                    write += 1
                out += piece
            else:
                if at >= end:
                    return bytes(out)
                out.append(data[at])
                window[write % 4096] = data[at]
                write += 1
                at += 1
    return bytes(out[:most])


class _Group(NamedTuple):
    """What a group inherits and may change for what is in it."""

    skipped: bool = False
    html: bool = False  # within {\\*\\htmltag ...}: the wrapped HTML itself
    hidden: bool = False  # \\htmlrtf: what only stands there for readers of RTF
    label: str = "cp1252"
    after: int = 1  # how many fallback characters follow \\u


def read(source: bytes) -> tuple[str, str]:
    """Return text and HTML of RTF; the one that it does not hold is ""."""
    if not source.startswith(b"{\\rtf"):
        return "", ""
    reader = _Reader(wraps_html=b"\\fromhtml1" in source[:2000])
    for token in _TOKEN.finditer(source):
        if reader.size > TEXT_CHARACTERS:
            break
        reader.token(token)
    text = reader.finish()
    return ("", text) if reader.wraps_html else (text, "")


class _Reader:
    """One pass over the tokens."""

    def __init__(self, wraps_html: bool) -> None:
        self.wraps_html = wraps_html
        self.out: list[str] = []
        self.octets = bytearray()  # of \\'hh, gathered since a letter may take two
        self.units: list[int] = []  # of \\u, gathered since a letter may take two
        self.group = _Group()
        self.stack: list[_Group] = []
        self.fonts: dict[int, str] = {}
        self.font = 0
        self.font_table = -1  # how deep the font table stands that is being read, -1 for none
        self.skip = 0  # how many fallback characters are still to be passed over
        self.star = False
        self.size = 0

    def token(self, token: re.Match[bytes]) -> None:
        """Act on a token."""
        word, number, octet, sign, brace, text = token.groups()
        if word is not None:
            self._word(word, int(number) if number is not None else None)
        elif brace is not None:
            self._brace(brace == b"{")
        elif sign == b"*":
            self.star = True
            return
        elif sign is not None:
            self._text(_SYMBOLS.get(sign, ""))
        elif octet is not None:
            self._octets(bytes([int(octet, 16)]))
        elif text is not None:
            self._octets(text)
        self.star = False

    def _silent(self) -> bool:
        return self.group.skipped or (self.wraps_html and self.group.hidden and not self.group.html)

    def _octets(self, octets: bytes) -> None:
        """Write octets in the charset of the group, less the fallback for what was written by number."""
        skipped = min(self.skip, len(octets))
        self.skip -= skipped
        if not self._silent() and skipped < len(octets):
            if self.units:
                self._flush()
            self.octets += octets[skipped:]

    def _flush(self) -> None:
        if self.octets:
            self.out.append(charset.decode(bytes(self.octets), self.group.label).text)
            self.size += len(self.octets)
            self.octets.clear()
        if self.units:
            self.out.append(struct.pack(f"<{len(self.units)}H", *self.units).decode("utf-16-le", "replace"))
            self.size += len(self.units)
            self.units.clear()

    def _text(self, text: str) -> None:
        if text and not self._silent():
            self._flush()
            self.out.append(text)
            self.size += len(text)

    def _brace(self, opens: bool) -> None:
        self._flush()
        if opens:
            if len(self.stack) < _DEPTH:
                self.stack.append(self.group)
        elif self.stack:
            self.group = self.stack.pop()
            if len(self.stack) < self.font_table:
                self.font_table = -1
        self.skip = 0

    def _word(self, word: bytes, number: int | None) -> None:
        """Act on a control word: one that writes, one that sets the charset, or one that opens a destination."""
        if word in _SIGNS:
            if not (self.wraps_html and self.group.html and word not in (b"par", b"tab", b"line")):
                self._text(_SIGNS[word])
        elif word == b"u" and number is not None:
            if not self._silent():
                if self.octets:
                    self._flush()
                self.units.append(number % 65_536)
            self.skip = self.group.after
        elif word == b"bin" and number:
            self.skip = max(number, 0)
        elif not self._set_charset(word, number):
            self._open(word, number)

    def _set_charset(self, word: bytes, number: int | None) -> bool:
        """Act on a word about fonts and charsets; False if it is none."""
        if word == b"uc":
            self._change(after=min(max(number or 0, 0), 8))
        elif word == b"ansicpg" and number:
            self._change(label="utf-8" if number == 65_001 else f"cp{number}")
        elif word == b"f" and number is not None:
            self.font = number
            if self.font_table < 0 and number in self.fonts:
                self._change(label=self.fonts[number])
        elif word == b"fcharset" and self.font_table >= 0:
            if number in _CHARSETS and len(self.fonts) < _FONTS:
                self.fonts[self.font] = _CHARSETS[number]
        else:
            return False
        return True

    def _open(self, word: bytes, number: int | None) -> None:
        """Act on a word that says what its group is."""
        if word == b"htmltag" and self.star:
            self._change(html=True)
        elif word == b"htmlrtf":
            self._change(hidden=number != 0)
        elif word in _SKIPPED or self.star:
            if word == b"fonttbl":
                self.font_table = len(self.stack)
            self._change(skipped=True)

    def _change(self, **changed: bool | int | str) -> None:
        self._flush()
        self.group = self.group._replace(**changed)  # type: ignore[arg-type]  # names and types are those of _Group

    def finish(self) -> str:
        """Return what was read."""
        self._flush()
        return "".join(self.out).strip() + "\n" if self.out else ""
