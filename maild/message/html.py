"""HTML to text, and HTML made clean."""

import re


def to_text(html: str) -> str:
    """Return the text of an HTML body."""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 (10 ms to import, and plain mails never need it)

    return LexborHTMLParser(html[:2_000_000]).text(separator=" ")


def clean(html: str, remote_images: bool = False) -> str:
    """Return HTML."""
    import nh3  # noqa: PLC0415 (loads a library that plain mails never need)

    return nh3.clean(html)
