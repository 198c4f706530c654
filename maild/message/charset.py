"""Bytes of a mail to text: which charset was meant, whatever was declared.

Senders lie about charsets, forget them, misspell them, and name those that browsers silently widen (a mail that says
`gb2312` holds GBK, one that says `iso-8859-1` holds windows-1252). The order here:

1. a byte order mark;
2. UTF-8, where the bytes are valid UTF-8 and the declared charset would hardly give such bytes by accident;
3. the declared charset, through the map that browsers use (WHATWG Encoding Standard 4.2), if it fits;
4. UTF-8, then detection by chardet, then windows-1252.

Only text encodings of a fixed list are ever looked up: Python knows codecs that are none (`rot13`, `zlib`,
`unicode_escape`, `idna`), and its registry remembers every unknown name for ever. Nothing here raises; what cannot be
read becomes U+FFFD.
"""

import re
from encodings.aliases import aliases
from typing import Final, NamedTuple

# Encodings of text that Python has and mail uses, by the name of their module in `encodings`.
_CODECS: Final = """
    ascii big5 big5hkscs cp037 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257
    cp1258 cp273 cp424 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858 cp860 cp861 cp862 cp863
    cp864 cp865 cp866 cp869 cp874 cp875 cp932 cp949 cp950 euc_jis_2004 euc_jisx0213 euc_jp euc_kr gb18030 gb2312
    gbk hp_roman8 hz iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso2022_kr
    iso8859_1 iso8859_10 iso8859_11 iso8859_13 iso8859_14 iso8859_15 iso8859_16 iso8859_2 iso8859_3 iso8859_4
    iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 johab koi8_r koi8_t koi8_u kz1048 latin_1 mac_arabic
    mac_croatian mac_cyrillic mac_farsi mac_greek mac_iceland mac_latin2 mac_roman mac_romanian mac_turkish
    ptcp154 shift_jis shift_jis_2004 shift_jisx0213 tis_620 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
    utf_7 utf_8 utf_8_sig
"""
# What senders write and what they mean: a codec, then labels, squeezed to their lower-case letters and digits. Labels
# whose content is in truth a wider encoding mean that one (WHATWG Encoding Standard 4.2).
_MEANT: Final = """
    cp1252: ascii usascii iso88591 latin1 l1 xansi ansi windows msansi roman western iso8859 8859 winlatin1
    cp874: iso885911 tis620 tis62025330 tis62025291 tis62025290 windows874
    cp1254: iso88599 latin5 l5 iso885999
    gb18030: gb2312 gbk isogb2312 csgb2312 gb231280 xgbk cngb cp936 windows936 ms936 936 euccn gb chinese
        csiso58gb231280 isoir58
    cp949: euckr ksc56011987 ksc5601 ksc56011989 ks56011987 korean csksc56011987 isoir149 ksx1001 kseuc uhc
        windows949 cseuckr
    cp932: shiftjis sjis xsjis csshiftjis mskanji windows31j cswindows31j ms932
    big5hkscs: big5 cnbig5 xxbig5 csbig5 big5et xbig5
    iso2022_jp_ext: iso2022jp csiso2022jp iso2022jpms cp50220 cp50221
    euc_jp: xeucjp
    iso8859_8: iso88598i iso88598e logical visual xvisual
    iso8859_6: iso88596i iso88596e
    mac_cyrillic: xmaccyrillic xmacukrainian
    mac_roman: xmacroman macintosh mac
    mac_latin2: xmacce
    mac_greek: xmacgreek
    mac_turkish: xmacturkish
    koi8_r: koi koi8 xkoi8r cskoi8r
    koi8_u: koi8ru
    utf_8: unicode11utf8 utf8 utf xunicode20utf8 unicode20utf8 utf8mb4 utf8mb3 al32utf8 cp65001 65001
    utf_7: unicode11utf7 unicode20utf7 xunicode20utf7
    utf_16: unicode ucs2 iso10646ucs2
    cp1251: wincyrillic
    iso8859_5: cyrillic
"""


_USUAL: Final = ("utf-8", "UTF-8", "us-ascii", "iso-8859-1", "windows-1252")  # found without squeezing


def _squeeze(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def _labels() -> dict[str, str]:
    """Return every squeezed label that is understood, with the codec it stands for."""
    codecs = frozenset(_CODECS.split())
    found = {_squeeze(name): name for name in codecs}
    found |= {_squeeze(alias): name for alias, name in aliases.items() if name in codecs}
    found |= {f"iso8859{number}": f"iso8859_{number}" for number in range(2, 17) if number != 12}
    for number in (*range(1250, 1259), 437, 850, 852, 866, 874, 932, 949, 950):
        found.setdefault(f"{number}", f"cp{number}")
        spellings = (f"windows{number}", f"win{number}", f"xcp{number}", f"ms{number}", f"ibm{number}")
        found |= dict.fromkeys(spellings, f"cp{number}")
    for line in re.sub(r"\n {8}", " ", _MEANT).strip().split("\n"):
        codec_name, _, labels = line.partition(":")
        found |= dict.fromkeys(labels.split(), codec_name.strip())
    # an alias of a label that means a wider codec means it too
    found = {label: found.get(_squeeze(name), name) for label, name in found.items()}
    return found | {label: found[_squeeze(label)] for label in _USUAL}


_LABELS: Final = _labels()
_SEVEN_BIT: Final = frozenset(
    ("utf_7", "hz", "iso2022_kr", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3",
     "iso2022_jp_ext")
)  # fmt: skip
_WIDE: Final = frozenset(("utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"))
_EAST_ASIAN: Final = frozenset(
    ("big5", "big5hkscs", "cp932", "cp949", "cp950", "euc_jis_2004", "euc_jisx0213", "euc_jp", "gb18030", "johab",
     "shift_jis_2004", "shift_jisx0213")
)  # fmt: skip
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf_8"),
    (b"\xff\xfe\x00\x00", "utf_32_le"),
    (b"\x00\x00\xfe\xff", "utf_32_be"),
    (b"\xff\xfe", "utf_16_le"),
    (b"\xfe\xff", "utf_16_be"),
)
# What mail programs ever wrote by default. Left alone, detection finds EBCDIC in a short header.
_LIKELY: Final = (
    "windows-1252", "windows-1250", "windows-1251", "windows-1253", "windows-1254", "windows-1255", "windows-1256",
    "windows-1257", "windows-874", "iso-8859-2", "iso-8859-5", "iso-8859-15", "koi8-r", "koi8-u", "gb18030", "big5",
    "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr", "utf-8",
)  # fmt: skip
_SAMPLE_BYTES: Final = 16_384  # what detection looks at; more makes it no surer
_SURE: Final = 0.005  # chardet's confidence in a short text that it reads right is seldom less
_VOTES: Final = 20
_DAMAGE: Final = 0.25  # with a greater share of the non-ASCII letters unreadable, the declared charset is a lie
_JAPANESE: Final = re.compile(rb"(\x1b[$(][@-~]|\x1b\$\([@-~]|)([^\x1b]+|\Z)|\x1b", re.DOTALL)


class Decoded(NamedTuple):
    """Text, and what was wrong with the charset it came in."""

    text: str
    defect: str = ""  # "", or one of charset-unknown, charset-wrong, charset-missing, charset-damaged


def codec(label: str) -> str:
    """Return the name of Python's codec that `label` means, "" if it means none that is known."""
    if not label or len(label) > 60:
        return ""
    return _LABELS.get(label) or _LABELS.get(_squeeze(label.partition("(")[0]), "")  # "us-ascii (plain)"


def decode(data: bytes, label: str = "", fallback: str = "") -> Decoded:
    """Return `data` as text.

    `label` is the charset that the mail declares, "" for none; `fallback` is a charset that the mail
    declares elsewhere, tried before detection where `label` says nothing.
    """
    name = codec(label)
    unknown = "charset-unknown" if label and not name else ""
    if name not in _SEVEN_BIT and name not in _WIDE and data.isascii() and b"\x1b" not in data:
        return Decoded(data.decode("ascii"), unknown)
    for mark, marked in _MARKS:
        if data.startswith(mark) and (len(mark) != 2 or name in _WIDE or not name):
            return Decoded(data[len(mark) :].decode(marked, "replace"))
    if name in _WIDE:
        return _wide(data, name)
    if name in _SEVEN_BIT:
        return _declared(data, name) if data.isascii() else decode(data)._replace(defect="charset-wrong")
    if name in _EAST_ASIAN and not _is_utf_8(data):
        return _declared(data, name)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        if name == "utf_8":
            return _damaged_utf_8(data, fallback)
        if name and not (name == "cp1252" and _squeeze(label) in ("ascii", "usascii")):
            return _declared(data, name)
        return Decoded(_detected(data, fallback), unknown or "charset-missing")
    if b"\x1b$" in data or b"\x1b(J" in data:  # ISO-2022-JP, sent without saying so, looks like ASCII
        return Decoded(_read(data, "iso2022_jp_ext")[0], unknown or "charset-missing")
    lied = "charset-wrong" if name not in ("", "utf_8") and not data.isascii() else ""
    return Decoded(text, unknown or lied)


def lines(data: bytes, label: str = "", fallback: str = "") -> Decoded:
    """Return `data` as text with LF line ends and without NUL; the rest as for `decode`."""
    name = codec(label)
    ordinary = name in _ASCII_LINE_ENDS or (not name and data.isascii())
    bare = _with_line_feeds(data) if ordinary else data
    text, defect = decode(bare, label, fallback)
    if defect and bare is not data:  # what was detected, then, was so with its line ends
        text, defect = decode(data, label, fallback)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text:
        text = text.replace("\x00", "")
    return Decoded(text, defect)


_ASCII_LINE_ENDS: Final = frozenset(("cp1252", "utf_8"))  # of nearly all mails


def _with_line_feeds(data: bytes) -> bytes:
    """Return `data` with LF for CRLF, where it has no other line ends.

    Taking away each CR and putting one back to compare is four times as fast as replacing each pair.
    """
    if b"\r" not in data:
        return data
    bare = data.replace(b"\r", b"")
    return bare if bare.replace(b"\n", b"\r\n") == data else data


def _is_utf_8(data: bytes) -> bool:
    """Return whether what is said to be an East Asian charset is UTF-8: letters of three bytes, and enough of them."""
    sample = data[:_SAMPLE_BYTES]
    return len(re.findall(rb"[\xe0-\xef][\x80-\xbf]{2}", sample)) > 2 and not _read(data, "utf_8")[1]


def _read(data: bytes, name: str) -> tuple[str, int]:
    """Return `data` read as `name`, and how many letters could not be read."""
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        if name == "iso2022_jp_ext":
            data, name = _shift_jis(data), "cp932"
        text = data.decode(name, "replace")
        return text, text.count("\ufffd")
    if name == "utf_7":  # the one decoder that lets halves of surrogate pairs through
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text, 0


def _declared(data: bytes, name: str) -> Decoded:
    """Return `data` in the declared charset, unless it is plainly not in it."""
    text, lost = _read(data, name)
    if not lost:
        return Decoded(text)
    high = sum(byte > 127 for byte in data[:_SAMPLE_BYTES])
    share = lost / max(high, 1) if len(data) <= _SAMPLE_BYTES else lost / len(text)
    if high and share > _DAMAGE:
        whole, broken = _read(data, "utf_8")
        return Decoded(_detected(data, "") if broken else whole, "charset-wrong")
    return Decoded(text, "charset-damaged")


def _damaged_utf_8(data: bytes, fallback: str) -> Decoded:
    """Return what claims to be UTF-8 and is not: mostly UTF-8 with a few broken bytes, or something else."""
    text = data.decode("utf-8", "replace")
    lost = text.count("\ufffd")
    good = sum(letter > "\x7f" for letter in text[:_SAMPLE_BYTES]) - text.count("\ufffd", 0, _SAMPLE_BYTES)
    if good >= lost:
        return Decoded(text, "charset-damaged")
    return Decoded(_detected(data, fallback), "charset-wrong")


def _shift_jis(data: bytes) -> bytes:
    """Return ISO-2022-JP as Shift_JIS, whose Windows form (cp932) has the letters that senders add to the standard."""
    out = bytearray()
    for piece in _JAPANESE.finditer(data):
        escape, letters = piece.group(1), piece.group(2) or b""
        if escape in (b"\x1b$B", b"\x1b$@"):
            for first, second in zip(letters[0::2], letters[1::2], strict=False):
                if not (0x21 <= first <= 0x7E and 0x21 <= second <= 0x7E):
                    continue
                out.append(((first - 0x21) >> 1) + (0x81 if first < 0x5F else 0xC1))
                out.append(second + 0x7E if first % 2 == 0 else second + (0x1F if second < 0x60 else 0x20))
        elif escape == b"\x1b(I":
            out += bytes(letter | 0x80 for letter in letters)
        else:
            out += letters
    return bytes(out)


def _wide(data: bytes, name: str) -> Decoded:
    """Return UTF-16 or UTF-32; senders that say so and send ASCII are believed by their bytes."""
    if b"\x00" not in data[:_SAMPLE_BYTES]:
        return decode(data)._replace(defect="charset-wrong")
    if name == "utf_16":  # RFC 2781 4.3: without a mark it is big-endian; the zero bytes know better
        name = "utf_16_le" if data[1::2][:200].count(0) > data[0::2][:200].count(0) else "utf_16_be"
    text, lost = _read(data, name)
    return Decoded(text, "charset-damaged" if lost else "")


def _detected(data: bytes, fallback: str) -> str:
    """Return `data` read as the first charset that fits of: `fallback`, what chardet says, windows-1252."""
    western = data.decode("cp1252", "replace")
    if not any(letter.isalpha() and letter not in "ªºµ" for letter in western if letter > "\x7f"):
        return western  # signs only (a trade mark, a degree): languages cannot be told by them
    hint = codec(fallback)
    if hint and hint not in _WIDE | _SEVEN_BIT | {"utf_8"}:
        text, lost = _read(data, hint)
        if not lost:
            return text
    name = codec(_guess(data))
    if name and name not in _WIDE:
        text, lost = _read(data, name)
        if lost <= _DAMAGE * len(text):
            return text
    return western


def _guess(data: bytes) -> str:
    """Return the charset that `data` looks like, "" if there is no telling."""
    import chardet  # noqa: PLC0415 (60 ms to import, and most mails never need it)

    start = next((match.start() for match in re.finditer(rb"[\x80-\xff]", data)), 0)
    sample = data[max(0, start - 200) : start + _SAMPLE_BYTES]
    found = chardet.detect(sample, include_encodings=_LIKELY)
    if found["confidence"] >= _SURE:
        return found["encoding"] or ""
    # A few damaged bytes spoil the whole: let the lines vote, so that damage costs only its own line.
    votes: dict[str, float] = {found["encoding"] or "": found["confidence"]}
    for line in [line for line in sample.split(b"\n") if not line.isascii()][:_VOTES]:
        one = chardet.detect(line, include_encodings=_LIKELY)
        votes[one["encoding"] or ""] = votes.get(one["encoding"] or "", 0.0) + one["confidence"]
    return max(votes, key=lambda name: votes[name])
