"""What things are called: names, titles, addresses, domains, languages; and numbers."""

import re
from typing import Annotated, Final

from pydantic import Field, PlainValidator, StrictInt, StringConstraints

from maild.config.kinds import from_text
from maild.message.address import normalise, valid

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
TITLE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,100}$"
SIZES: Final = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
SMALLEST_MAIL_BYTES: Final = 64 * 1024  # RFC 5321 4.5.3.1.7: at least 64 K octets are to be taken
_SIZE = re.compile(r"(\d{1,12})\s*([kmg]?i?b)", re.ASCII | re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", re.ASCII)


def _mail_address(text: str) -> str:
    if "<" in text:
        raise ValueError("expected a bare mail address such as 'support@acme.example', without a name")
    if not valid(text):
        raise ValueError("expected a mail address such as 'support@acme.example'")
    return text


def _domain(text: str) -> str:
    domain = text.removeprefix("@")
    if not valid(f"a@{domain}") or "." not in domain:
        raise ValueError("expected a domain such as 'customer.example'")
    return normalise(f"a@{domain}").rpartition("@")[2]


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("expected a size such as '25MiB'")
    size_bytes = int(found[1]) * SIZES[found[2].lower()]
    if size_bytes < SMALLEST_MAIL_BYTES:
        raise ValueError("expected a size of at least 64KiB (RFC 5321 4.5.3.1.7)")
    return size_bytes


def _language(text: str) -> str:
    if _LANGUAGE.fullmatch(text) is None:
        raise ValueError("expected a language such as 'en', 'et' or 'pt-BR'")
    language, dash, rest = text.replace("_", "-").partition("-")
    return language.lower() + dash + rest


Name = Annotated[str, StringConstraints(pattern=NAME)]
Title = Annotated[str, StringConstraints(pattern=TITLE)]
MailAddress = Annotated[str, from_text(_mail_address, "a mail address such as 'support@acme.example'")]
Domain = Annotated[str, from_text(_domain, "a domain such as 'customer.example'")]
Size = Annotated[int, PlainValidator(lambda value: _size(value) if isinstance(value, str) else _size(f"{value}b"))]
Language = Annotated[str, from_text(_language, "a language such as 'en'")]
Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,100}$")]
Count = Annotated[StrictInt, Field(ge=1, le=100_000)]
Percent = Annotated[StrictInt, Field(ge=1, le=1000)]
