"""`winmail.dat`: what Outlook wraps a mail in when it believes the reader to be Outlook ([MS-OXTNEF]).

Reads the text and the attached files out of it. Every length in the stream is checked against what is left of it, so
that a broken or hostile one yields what could be read and no more. Linear; only what is handed out is copied.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from maild.message import charset, filename, rtf

SIGNATURE: Final = b"\x78\x9f\x3e\x22"
FILES: Final = 100
_ATTRIBUTES: Final = 10_000
_PROPERTIES: Final = 5_000

# [MS-OXTNEF] 2.1.3.2: attributes; the low half of the id
_BODY, _CODE_PAGE, _MAPI, _RENDER, _TITLE, _DATA, _ATTACHMENT = 0x800C, 0x9007, 0x9003, 0x9002, 0x8010, 0x800F, 0x9005
# [MS-OXPROPS]: properties
_PR_BODY, _PR_RTF, _PR_HTML, _PR_CPID = 0x1000, 0x1009, 0x1013, 0x3FDE
_PR_NAME, _PR_LONG_NAME, _PR_DISPLAY_NAME, _PR_MIME, _PR_CONTENT_ID, _PR_DATA = (
    0x3704,
    0x3707,
    0x3001,
    0x370E,
    0x3712,
    0x3701,
)
_FIXED_BYTES: Final = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE: Final = frozenset({0x0D, 0x1E, 0x1F, 0x102})
_STRING8, _UNICODE, _OBJECT = 0x1E, 0x1F, 0x0D
_CODE_PAGES: Final = {
    65001: "utf-8",
    20866: "koi8-r",
    21866: "koi8-u",
    936: "gb18030",
    950: "big5",
    932: "shift_jis",
    949: "euc-kr",
    20127: "us-ascii",
}


class File(NamedTuple):
    """A file that the stream holds."""

    name: str  # decoded and safe, "" if it has none
    content_type: str
    content_id: str
    content: bytes


@dataclass(frozen=True)
class Contents:
    """What a stream holds."""

    text: str
    html: str
    files: tuple[File, ...]


@dataclass
class _Draft:
    """A file that is being read."""

    title: str = ""  # often cut to eight letters and three
    shown: str = ""
    long_name: str = ""
    content_type: str = ""
    content_id: str = ""
    content: bytes = b""


@dataclass
class _Reading:
    """What was found so far."""

    label: str = "windows-1252"
    text: str = ""
    html: str = ""
    rtf: bytes = b""
    files: list[_Draft] = field(default_factory=list)


def read(stream: bytes) -> Contents | None:
    """Return what the TNEF `stream` holds, None if it is none."""
    if not stream.startswith(SIGNATURE):
        return None
    found = _Reading()
    for attribute, value in _attributes(stream):
        if attribute == _CODE_PAGE and len(value) >= 4:
            found.label = _label(struct.unpack_from("<I", value)[0])
        elif attribute == _BODY:
            found.text = found.text or _text(value, found.label)
        elif attribute == _MAPI:
            _message_properties(value, found)
        elif attribute == _RENDER:
            if len(found.files) >= FILES:
                break
            found.files.append(_Draft())
        elif found.files:
            _file_attribute(attribute, value, found)
    text, html = found.text, found.html
    if found.rtf and not (text.strip() or html.strip()):
        text, html = rtf.read(rtf.decompressed(found.rtf))
    return Contents(
        text.replace("\r\n", "\n"),
        html,
        tuple(_file(draft) for draft in found.files if draft.content or draft.title or draft.shown),
    )


def _attributes(stream: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield the attributes of the stream, as far as it is whole."""
    view = memoryview(stream)
    at = 6
    for _ in range(_ATTRIBUTES):
        if at + 9 > len(view):
            return
        name, length = struct.unpack_from("<xHxxI", view, at)
        at += 9
        yield name, view[at : at + length]
        at += length + 2  # the checksum


def _label(code_page: int) -> str:
    return _CODE_PAGES.get(code_page, f"cp{code_page}")


def _text(value: memoryview, label: str) -> str:
    return charset.decode(bytes(value), label).text.rstrip("\x00").replace("\x00", "")


def _file_attribute(attribute: int, value: memoryview, found: _Reading) -> None:
    """Take what an attribute says of the last file."""
    draft = found.files[-1]
    if attribute == _TITLE:
        draft.title = draft.title or _text(value, found.label)
    elif attribute == _DATA:
        draft.content = bytes(value)
    elif attribute == _ATTACHMENT:
        for name, kind, data in _properties(value):
            if name == _PR_DATA:
                # an object begins with the id of its interface; an attached mail is a stream of its own
                content = bytes(data[16:] if kind == _OBJECT else data)
                if content.startswith(SIGNATURE):
                    draft.content, draft.content_type = content, "application/ms-tnef"
                draft.content = draft.content or content
            elif kind in (_STRING8, _UNICODE):
                text = _string(kind, data, found.label)
                if name == _PR_LONG_NAME:
                    draft.long_name = text
                elif name == _PR_DISPLAY_NAME:
                    draft.shown = text
                elif name == _PR_NAME:
                    draft.title = draft.title or text
                elif name == _PR_MIME:
                    draft.content_type = text.lower()
                elif name == _PR_CONTENT_ID:
                    draft.content_id = text.strip("<> ")


def _message_properties(value: memoryview, found: _Reading) -> None:
    """Take the text of the mail from its properties."""
    for name, kind, data in _properties(value):
        if name == _PR_CPID and kind == 3:
            found.label = _label(struct.unpack_from("<I", data)[0])
        elif name == _PR_BODY and kind in (_STRING8, _UNICODE):
            found.text = found.text or _string(kind, data, found.label)
        elif name == _PR_HTML:
            found.html = found.html or (
                _string(kind, data, found.label) if kind == _UNICODE else _text(data, found.label)
            )
        elif name == _PR_RTF:
            found.rtf = found.rtf or bytes(data)


def _string(kind: int, data: memoryview, label: str) -> str:
    if kind == _UNICODE:
        return bytes(data).decode("utf-16-le", "replace").rstrip("\x00")
    return _text(data, label)


def _properties(view: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield id, type and first value of MAPI properties ([MS-OXTNEF] 2.1.3.4), as far as they are whole."""
    try:
        count, at = min(_number(view, 0), _PROPERTIES), 4
        for _ in range(count):
            kind, name = struct.unpack_from("<HH", view, at)
            at += 4
            if name >= 0x8000:  # a named property: a GUID, then a number or a name
                by_name, length = struct.unpack_from("<II", view, at + 16)
                at += 24 + (_padded(length) if by_name else 0)
            values, variable = 1, kind & 0xFFF in _VARIABLE
            if variable or kind & 0x1000:
                values, at = min(_number(view, at), _PROPERTIES), at + 4
            for number in range(values):
                length = _FIXED_BYTES.get(kind & 0xFFF, 0)
                if variable:
                    length, at = _number(view, at), at + 4
                elif not length:
                    return  # a type of unknown length: nothing behind it can be found
                if at + length > len(view):
                    return
                if number == 0:
                    yield name, kind & 0xFFF, view[at : at + length]
                at += _padded(length)
    except struct.error:  # the properties end in the middle of one
        return


def _number(view: memoryview, at: int) -> int:
    number: int = struct.unpack_from("<I", view, at)[0]
    return number


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4


def _file(draft: _Draft) -> File:
    return File(
        filename.safe(draft.long_name or draft.shown or draft.title),
        draft.content_type or "application/octet-stream",
        draft.content_id,
        draft.content,
    )
