"""Rich Text Format as Outlook uses it for mail: decompressed ([MS-OXRTFCP]), then read as text or as the HTML that it wraps ([MS-OXRTFEX]).

Linear and bounded: at most TEXT_CHARACTERS come out, groups are counted, not recursed into.
"""

import re
import struct
from typing import Final, NamedTuple

from maild.message import charset

TEXT_CHARACTERS: Final = 4_000_000
_DEPTH: Final = 1_000
_DICTIONARY: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbol"
    rb"ArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\",
    re.DOTALL,
)
_SKIPPED: Final = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer headerl headerr footerl footerr generator listtable listoverridetable themedata "
    b"latentstyles datastore xmlnstbl rsidtbl pntext nonshppict fldinst bkmkstart bkmkend".split()
)
_SIGNS: Final = {
    b"par": "\n", b"line": "\n", b"tab": "\t", b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c", b"rdblquote": "\u201d",
    b"bullet": "\u2022", b"endash": "\u2013", b"emdash": "\u2014", b"emspace": " ", b"enspace": " ", b"cell": "\t", b"row": "\n", b"sect": "\n", b"page": "\n",
}  # fmt: skip
_CHARSETS: Final = {
    0: "cp1252", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250", 77: "mac-roman",
}  # fmt: skip


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
        self.group = _Group()
        self.stack: list[_Group] = []
        self.fonts: dict[int, str] = {}
        self.font = 0
        self.in_fonts = -1
        self.skip = 0
        self.star = False
        self.size = 0

    def token(self, token: re.Match[bytes]) -> None:
        """Act on a token."""
        word, number, octet, sign, brace, text = token.groups()
        if word is not None:
            self._word(word, int(number) if number is not None else None)
        elif octet is not None:
            if self.skip:
                self.skip -= 1
            elif not self._silent():
                self.octets.append(int(octet, 16))
        elif brace is not None:
            self._brace(brace == b"{")
        elif sign is not None:
            if sign == b"*":
                self.star = True
                return
            self._text(
                {b"~": " ", b"_": "-", b"-": ""}.get(
                    sign, sign.decode("latin-1") if sign in b"\\{}" else "\n" if sign in b"\r\n" else ""
                )
            )
        elif text is not None:
            if self.skip:
                taken = min(self.skip, len(text))
                self.skip -= taken
                text = text[taken:]
            if text and not self._silent():
                self.octets += text
        self.star = False

    def _silent(self) -> bool:
        return self.group.skipped or (self.wraps_html and self.group.hidden and not self.group.html)

    def _flush(self) -> None:
        if self.octets:
            self.out.append(charset.decode(bytes(self.octets), self.group.label).text)
            self.size += len(self.octets)
            self.octets.clear()

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
            if len(self.stack) < self.in_fonts:
                self.in_fonts = -1
        self.skip = 0

    def _word(self, word: bytes, number: int | None) -> None:
        if word == b"u" and number is not None:
            self._flush()
            self._text(chr(number % 65536) if not 0xD800 <= number % 65536 < 0xE000 else "\ufffd")
            self.skip = self.group.after
        elif word in _SIGNS:
            if not (self.wraps_html and self.group.html and word not in (b"par", b"tab", b"line")):
                self._text(_SIGNS[word])
        elif word == b"htmltag" and self.star:
            self._change(html=True)
        elif word == b"htmlrtf":
            self._change(hidden=number != 0)
        elif word == b"uc":
            self._change(after=min(max(number or 0, 0), 8))
        elif word == b"ansicpg" and number:
            self._change(label=f"cp{number}" if number != 65001 else "utf-8")
        elif word == b"fonttbl":
            self.in_fonts = len(self.stack)
            self._change(skipped=True)
        elif word == b"f" and number is not None:
            self.font = number
            if self.in_fonts < 0 and number in self.fonts:
                self._change(label=self.fonts[number])
        elif word == b"fcharset" and self.in_fonts >= 0 and number in _CHARSETS and number:
            if len(self.fonts) < 1000:
                self.fonts[self.font] = _CHARSETS[number]
        elif word == b"bin" and number:
            self.skip = max(number, 0)
        elif word in _SKIPPED or self.star:
            self._change(skipped=True)

    def _change(self, **changed: bool | int | str) -> None:
        self._flush()
        self.group = self.group._replace(**changed)  # type: ignore[arg-type]  # names and types are those of _Group, above

    def finish(self) -> str:
        """Return what was read."""
        self._flush()
        return "".join(self.out).strip() + "\n" if self.out else ""
