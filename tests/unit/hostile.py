"""Mails made to hurt their reader: the 47 kinds that bring parsers down, in any size.

Each maker takes a size in bytes and gives a mail of about that size, so that a doubling shows how cost grows.
"""

import base64
from collections.abc import Callable

Maker = Callable[[int], bytes]

HEAD = b"From: eve@evil.example\r\nTo: support@desk.example\r\nSubject: hostile\r\nMessage-ID: <1@evil.example>\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n"


def _repeated(unit: bytes, size: int) -> bytes:
    return unit * max(1, size // len(unit))


def _in_header(name: bytes, unit: bytes, before: bytes = b"", after: bytes = b"") -> Maker:
    return lambda size: name + b": " + before + _repeated(unit, size) + after + b"\r\n" + HEAD + b"\r\nbody\r\n"


def _in_body(unit: bytes, head: bytes = b"", before: bytes = b"", after: bytes = b"") -> Maker:
    return lambda size: HEAD + head + b"\r\n" + before + _repeated(unit, size) + after


def _nested(size: int) -> bytes:
    count = max(1, size // 90)
    parts = (b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(count))
    return HEAD + b"".join(parts) + b"\r\ndeep\r\n"


def _nested_closed(size: int) -> bytes:
    count = max(1, size // 110)
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(count))
    closing = b"".join(b"\r\n--b%d--\r\n" % i for i in reversed(range(count)))
    return HEAD + opening + b"\r\ndeep" + closing


def _numbered(name: bytes, unit: bytes) -> Maker:
    def make(size: int) -> bytes:
        count = max(1, size // (len(unit) + 3))
        return HEAD + name + b"".join(unit % i for i in range(count)) + b"\r\n\r\nbody\r\n"

    return make


def _parts(head: bytes) -> Maker:
    unit = b"--b\r\n" + head + b"\r\nx\r\n"
    return lambda size: (
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + _repeated(unit, size) + b"--b--\r\n"
    )


def _charset(name: bytes) -> Maker:
    return lambda size: (
        HEAD
        + b'Content-Type: text/plain; charset="'
        + name
        + b'"\r\n\r\n'
        + _repeated(b"Gr\xfc\xdfe +AGEA- \\u0041 =?x?\r\n", size)
    )


def _encoded(data: bytes, head: bytes) -> Maker:
    return lambda size: HEAD + head + b"\r\n" + base64.encodebytes(_repeated(data, size * 3 // 4))


def _html(unit: bytes) -> Maker:
    return _in_body(unit, b"Content-Type: text/html; charset=utf-8\r\n")


def _tnef(size: int) -> bytes:
    attribute = b"\x02" + (0x9002).to_bytes(2, "little") + b"\x06\x00" + (2).to_bytes(4, "little") + b"xx" + b"\0\0"
    stream = b"\x78\x9f\x3e\x22\x01\x00" + _repeated(attribute, size * 3 // 4)
    return (
        HEAD
        + b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(stream)
    )


def _rtf(size: int) -> bytes:
    data = _repeated(b"\xff\x00\x10", size * 3 // 4)
    packed = len(data).to_bytes(4, "little") + b"\xff\xff\xff\x7f" + b"LZFu" + b"\0\0\0\0" + data
    properties = b"\1\0\0\0" + b"\x02\x01\x09\x10" + b"\1\0\0\0" + len(packed).to_bytes(4, "little") + packed
    attribute = (
        b"\x01"
        + (0x9003).to_bytes(2, "little")
        + b"\x06\x00"
        + len(properties).to_bytes(4, "little")
        + properties
        + b"\0\0"
    )
    stream = b"\x78\x9f\x3e\x22\x01\x00" + attribute
    return (
        HEAD
        + b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(stream)
    )


MAILS: dict[str, Maker] = {
    # structure
    "nested multiparts": _nested,
    "nested multiparts, closed": _nested_closed,
    "nested message/rfc822": _in_body(b"Content-Type: message/rfc822\r\n\r\n", b"Content-Type: message/rfc822\r\n"),
    "many parts": _parts(b""),
    "many attachments": _parts(b'Content-Disposition: attachment; filename="a"\r\n'),
    "many attached mails": _parts(b"Content-Type: message/rfc822\r\n"),
    "many html parts": _parts(b"Content-Type: text/html\r\n"),
    "boundary that never comes": _in_body(b"text\r\n", b"Content-Type: multipart/mixed; boundary=never\r\n"),
    "boundary that never closes": _in_body(b"text\r\n", MIXED, b"--b\r\n\r\n"),
    "no boundary": _in_body(b"--x\r\n\r\ntext\r\n", b"Content-Type: multipart/mixed\r\n"),
    "look-alike boundaries": _in_body(b"--bb\r\n--b-\r\n--b---\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n"),
    "lines of two hyphens": _in_body(b"--\n", b"Content-Type: multipart/mixed; boundary=b\r\n"),
    "long boundary": lambda size: HEAD + MIXED[:-2] + b"b" * size + b"\r\n\r\n--b\r\n\r\nx\r\n",
    # header sections
    "one long header": _in_header(b"X-Long", b"a"),
    "many headers": lambda size: HEAD + _repeated(b"X-A: b\r\n", size) + b"\r\nbody",
    "many folded lines": _in_header(b"X-Folded", b"\r\n a"),
    "folded subject": _in_header(b"Subject", b"\r\n a"),
    "encoded words": _in_header(b"Subject", b"=?utf-8?q?=C3=A4?= "),
    "encoded words without end": _in_header(b"Subject", b"=?utf-8?q? "),
    "encoded words begun": _in_header(b"Subject", b"=?"),
    "encoded words of many charsets": _in_header(b"Subject", b"=?koi8-r?q?=E4?= =?utf-8?b?w6Q=?= =?no-such?q?=E4?= "),
    "junk lines between headers": lambda size: HEAD + _repeated(b"junk\r\nX-A: b\r\n", size) + b"\r\nbody",
    # addresses
    "many addresses": _in_header(b"To", b"a@b.example, "),
    "commas": _in_header(b"To", b","),
    "open brackets": _in_header(b"To", b"("),
    "nested comments": lambda size: b"To: " + b"(" * (size // 2) + b")" * (size // 2) + b"\r\n" + HEAD + b"\r\nbody",
    "quoted words": _in_header(b"To", b'"a" '),
    "open quotes": _in_header(b"To", b'"\\'),
    "dots": _in_header(b"To", b"a."),
    "angle brackets": _in_header(b"To", b"<"),
    "colons": _in_header(b"To", b"a:"),
    "domain literals": _in_header(b"To", b"a@[", after=b"]"),
    # ids and dates
    "message id of brackets": _in_header(b"Message-ID", b"<"),
    "references": _in_header(b"References", b"<a@b.example> "),
    "absurd date": _in_header(b"Date", b"9", before=b"Mon, 31 Feb "),
    "date of brackets": _in_header(b"Date", b"("),
    # parameters
    "semicolons": _in_header(b"Content-Type", b";", before=b"text/plain"),
    "parameters": _numbered(b"Content-Type: text/plain", b"; a%d=b"),
    "numbered parameters": _numbered(b"Content-Type: text/plain", b"; name*%d*=a%%20"),
    "equals signs": _in_header(b"Content-Type", b"=", before=b"text/plain;"),
    "file name": lambda size: HEAD + b"Content-Disposition: attachment; filename=" + _repeated(b"../", size) + b"\n\nx",
    # encodings
    "base64": _encoded(b"\0\1\2", b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"),
    "base64 text": _encoded(b"text ", b"Content-Transfer-Encoding: base64\r\n"),
    "base64 of padding": _in_body(b"=", b"Content-Transfer-Encoding: base64\r\n"),
    "base64 of junk": _in_body(b"\xff!A", b"Content-Transfer-Encoding: base64\r\n"),
    "soft line breaks": _in_body(b"=\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
    "uuencode": _in_body(b"M" + b"A" * 60 + b"\r\n", before=b"begin 644 x\r\n", after=b"`\r\nend\r\n"),
    "uuencode begun": _in_body(b"begin 644 x\r\nMAAA\r\n"),
    "flowed": _in_body(b"> a \r\n", b"Content-Type: text/plain; format=flowed; delsp=yes\r\n"),
    "flowed in one": _in_body(b"a \r\n", b"Content-Type: text/plain; format=flowed\r\n"),
    "enriched": _in_body(b"<bold>", b"Content-Type: text/enriched\r\n"),
    "calendar": _in_body(b"BEGIN:VEVENT\r\n", b"Content-Type: text/calendar\r\n"),
    "calendar of quotes": _in_body(b'A;B="', b"Content-Type: text/calendar\r\n", b"BEGIN:VEVENT\r\n"),
    "winmail.dat": _tnef,
    "compressed rtf": _rtf,
    # charsets
    "charset idna": _charset(b"idna"),
    "charset punycode": _charset(b"punycode"),
    "charset utf-7": _charset(b"utf-7"),
    "charset rot13": _charset(b"rot13"),
    "charset zlib": _charset(b"zlib"),
    "charset unknown": _charset(b"no-such-charset"),
    "charset unicode_escape": _charset(b"unicode_escape"),
    "charset undefined": _charset(b"undefined"),
    "charset with NUL": _charset(b"utf-8\0"),
    "charset iso-2022-jp": _in_body(b"\x1b$B\x21", b"Content-Type: text/plain; charset=iso-2022-jp\r\n"),
    # bytes
    "nothing but NUL": lambda size: b"\0" * size,
    "nothing but line feeds": lambda size: b"\n" * size,
    "nothing but carriage returns": lambda size: b"\r" * size,
    "nothing but colons": lambda size: b":" * size,
    "nothing but hyphens": lambda size: b"-" * size,
    "no headers": lambda size: _repeated(b"Just a text, no headers.\r\n", size),
    "line feeds in the body": _in_body(b"\r\n"),
    "carriage returns in the body": _in_body(b"\r"),
    # HTML
    "html nested": _html(b"<div>"),
    "html formatting": _html(b"<p><font size=1>"),
    "html tables": _html(b"<table><tr><td>"),
    "html quotes": _html(b"<blockquote>x<br>"),
    "html lists": _html(b"<ul><li>"),
    "html links": _html(b"<a href=https://x.example>x"),
    "html open tags": _html(b"<a href=\""),
    "html open comments": _html(b"<!-- --"),
    "html open titles": _html(b"<title>"),
    "html entities": _html(b"&amp"),
    "html hidden": _html(b'<p style="max-height:0;overflow:hidden;'),
}  # fmt: skip

SMALL: dict[str, bytes] = {
    "nothing": b"",
    "one line feed": b"\n",
    "one carriage return": b"\r",
    "one colon": b":",
    "a field name": b"From",
    "mbox line alone": b"From ",
    "bad charset of an encoded word": b"Subject: =?idna?q?=41?= =?zlib?b?eJw=?= =?\0?q?x?=\n\n",
    "line break in an encoded subject": b"Subject: =?utf-8?q?hi=0D=0ABcc:_x@y.example?=\n\n",
    "empty From": b"From: \n\nx",
    "empty brackets": b"From: <>\n\nx",
    "group": b"From: Team: a@b.example, c@d.example;\n\nx",
    "two From": b"From: a@b.example\nFrom: c@d.example\n\nx",
    "address behind a bracket": b"From: alice@example.org)bob@evil.example\n\nx",
    "bracketed id": b"Message-ID: <[abc@x]>\n\nx",
    "traversal": b'Content-Disposition: attachment; filename="../../etc/passwd"\n\nx',
    "absurd dates": b"Date: Mon, 99 Foo 99999 99:99:99 +9999999999\n\nx",
}
