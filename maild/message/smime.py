"""Opaque S/MIME signatures (RFC 8551 3.5.2): the mail that such a part wraps, taken out without verifying anything.

Outlook signs so by default in some companies: without this their mails would be empty. Reads just as much of the
Cryptographic Message Syntax (RFC 5652) as leads to the content, in DER and in BER with indefinite lengths. Bounded by
the data: each step moves forward.
"""

from typing import Final, NamedTuple

_SEQUENCE, _SET, _OCTETS, _OID, _INTEGER, _CONTEXT = 0x30, 0x31, 0x04, 0x06, 0x02, 0xA0
_CONSTRUCTED_OCTETS: Final = 0x24
_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
_DATA: Final = bytes.fromhex("2a864886f70d010701")
_ENDLESS: Final = -1
PIECES: Final = 100_000


class _Element(NamedTuple):
    """One element: its tag, where its content begins, and where it ends (_ENDLESS: at an end mark)."""

    tag: int
    at: int
    end: int


class _SyntaxError(Exception):
    """The data is no such structure."""


def content(data: bytes) -> bytes | None:
    """Return the MIME entity that `data` signs, None if it is none or encrypted."""
    try:
        outer = _element(data, 0, _SEQUENCE)
        kind = _element(data, outer.at, _OID)
        if data[kind.at : kind.end] != _SIGNED_DATA:
            return None
        signed = _element(data, _element(data, kind.end, _CONTEXT).at, _SEQUENCE)
        version = _element(data, signed.at, _INTEGER)
        algorithms = _element(data, version.end, _SET)
        wrapped = _element(data, _behind(data, algorithms), _SEQUENCE)
        kind = _element(data, wrapped.at, _OID)
        if data[kind.at : kind.end] != _DATA:
            return None
        return _octets(data, _element(data, kind.end, _CONTEXT).at)
    except (_SyntaxError, IndexError):
        return None


def _any(data: bytes, at: int) -> _Element:
    """Return the element at `at`."""
    tag, length = data[at], data[at + 1]
    at += 2
    if length == 0x80:
        return _Element(tag, at, _ENDLESS)
    if length > 0x80:
        count = length - 0x80
        if count > 4:
            raise _SyntaxError
        length = int.from_bytes(data[at : at + count])
        at += count
    if at + length > len(data):
        raise _SyntaxError
    return _Element(tag, at, at + length)


def _element(data: bytes, at: int, tag: int) -> _Element:
    """Return the element at `at`, which must have that tag."""
    found = _any(data, at)
    if found.tag != tag:
        raise _SyntaxError
    return found


def _behind(data: bytes, element: _Element) -> int:
    """Return where the element behind `element` begins; of one without a length only flat content is passed over."""
    if element.end != _ENDLESS:
        return element.end
    at = element.at
    while data[at : at + 2] != b"\0\0":
        inner = _any(data, at)
        if inner.end == _ENDLESS:
            raise _SyntaxError
        at = inner.end
    return at + 2


def _octets(data: bytes, at: int) -> bytes:
    """Return the octet string at `at`, which may come in pieces."""
    whole = _any(data, at)
    if whole.tag == _OCTETS and whole.end != _ENDLESS:
        return data[whole.at : whole.end]
    if whole.tag != _CONSTRUCTED_OCTETS:
        raise _SyntaxError
    out = bytearray()
    at = whole.at
    for _ in range(PIECES):
        if at == whole.end or (whole.end == _ENDLESS and data[at : at + 2] == b"\0\0"):
            return bytes(out)
        piece = _element(data, at, _OCTETS)
        if piece.end == _ENDLESS:
            raise _SyntaxError
        out += data[piece.at : piece.end]
        at = piece.end
    raise _SyntaxError
