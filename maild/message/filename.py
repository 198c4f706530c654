"""Names of attachments, made safe to show and to save: no path, no control or bidi characters, no endless length."""

import re
import unicodedata
from typing import Final

NAME_BYTES: Final = 255  # NAME_MAX of the usual file systems

_PATH: Final = re.compile(r"(?:\A|(?<=[/\\]))\.{1,2}(?=[/\\]|\Z)|\A[/~]|\A[A-Za-z]:|\\")
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)", re.IGNORECASE)


def safe(name: str) -> str:
    """Return `name` as one harmless path component, "" if nothing of it is left.

    Of a path only the last component is kept; a slash that is part of a title ("Invoice 3/2026.pdf") becomes `_`.
    """
    if (
        len(name) <= NAME_BYTES
        and name.isascii()
        and name.isprintable()
        and _SIMPLE.fullmatch(name)
        and not _RESERVED.match(name)
    ):
        return name
    name = unicodedata.normalize("NFC", name[: 4 * NAME_BYTES])
    name = "".join(_letters(name)).strip()
    if _PATH.search(name):
        name = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
        name = re.sub(r"\A[A-Za-z]:", "", name)
    name = " ".join(re.sub(r"[/\\]", "_", name).split())
    if not name.strip(". "):
        return ""
    if _RESERVED.match(name):
        name = f"_{name}"
    return _cut(name)


def by_type(content_type: str) -> str:
    """Return how a file is called that has no name: "image.png", "file" if its type says nothing."""
    kind, _, subtype = content_type.lower().partition("/")
    ending = _ENDINGS.get(subtype, subtype)
    if kind == "message":
        return "message.eml"
    if kind in ("image", "audio", "video", "text") and _ENDING.fullmatch(ending):
        return f"{kind}.{ending}"
    return f"file.{ending}" if subtype in _ENDINGS else "file"


_ENDING: Final = re.compile(r"[a-z0-9]{1,5}")
_ENDINGS: Final = {
    "calendar": "ics",
    "gzip": "gz",
    "jpeg": "jpg",
    "json": "json",
    "mpeg": "mp3",
    "msword": "doc",
    "pdf": "pdf",
    "plain": "txt",
    "quicktime": "mov",
    "rtf": "rtf",
    "svg+xml": "svg",
    "vcard": "vcf",
    "vnd.ms-excel": "xls",
    "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "x-zip-compressed": "zip",
    "zip": "zip",
}

_SIMPLE: Final = re.compile(r"[A-Za-z0-9_+-]+\.[A-Za-z0-9]{1,8}")


def _letters(name: str) -> list[str]:
    """Return the characters of `name` that may stay."""
    kept: list[str] = []
    for letter in name:
        category = unicodedata.category(letter)
        if letter in "\u200c\u200d":  # joiners belong to Indic and Persian words and to emoji, but not into "exe"
            if kept and ord(kept[-1]) > 0x590:
                kept.append(letter)
        elif category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif category not in ("Cf", "Cs"):
            kept.append(letter)
    return kept


def _cut(name: str) -> str:
    """Return `name` in at most NAME_BYTES of UTF-8, its extension kept."""
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= NAME_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = (dot + extension).encode("utf-8", "replace") if stem and len(extension) <= 20 else b""
    return encoded[: NAME_BYTES - len(tail)].decode("utf-8", "ignore") + tail.decode("utf-8")
