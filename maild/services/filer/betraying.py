"""Whether an answer would take addresses to a customer that were made for an agent alone.

Whoever has such an address, and writes the agent's name into From, may answer as he where nothing proves senders. So
the words of an answer are looked at once more, and its files: the mail that was answered, passed on as an attachment,
holds them in its header and its footer. What is packed (a PDF, a ZIP) is not looked into.
"""

import re
from collections.abc import Sequence
from typing import Final

from maild.message import commands, html
from maild.message.commands import Fault, Says
from maild.message.forwarded import ATTACHED
from maild.message.parse import Attachment, parse
from maild.message.reply import Reply
from maild.outbox.sharing import FILES_BYTES, goes_to_customers

_TOKEN: Final = re.compile(r"t[0-9]+\.[and][0-9]+\.[a-z0-9]{27}|[hj][0-9]+\.a[0-9]+\.[a-z0-9]{27}", re.IGNORECASE)
_IN_FILES: Final = re.compile(_TOKEN.pattern.encode(), re.IGNORECASE)
_BROKEN: Final = re.compile(r"[\s>\u200b\u00ad]+")  # by what programs break a long word
_SOFT_END: Final = re.compile(rb"=\r?\n")
_OPAQUE: Final = ("image/", "audio/", "video/", "font/")
_DEEPEST: Final = 3  # mails within mails


def faults(reply: Reply, files: Sequence[Attachment]) -> tuple[Fault, ...]:
    """Return why an answer must not leave as it is, () if it may."""
    if betrays(reply):
        return (commands.fault(Says.BETRAYS),)
    room = FILES_BYTES  # what is larger stays here anyway
    for each in files:
        if each.content_type.lower().startswith(_OPAQUE) or each.size_bytes > room or not goes_to_customers(each):
            continue
        room -= each.size_bytes
        if _holds(each, _DEEPEST):
            return (commands.fault(Says.BETRAYING_FILE, values={"name": each.name or each.content_type}),)
    return ()


def betrays(reply: Reply) -> bool:
    """Return whether the words of an answer still hold such an address, as in a footer that it quotes."""
    shown = html.to_text(reply.html) if reply.html else ""
    parts = (reply.text, reply.html, shown)
    return any(_TOKEN.search(part) or _TOKEN.search(_BROKEN.sub("", part)) for part in parts)


def _holds(file: Attachment, deepest: int) -> bool:
    content = file.content()
    if _IN_FILES.search(content) or _IN_FILES.search(_SOFT_END.sub(b"", content)):
        return True
    is_mail = file.content_type.lower() == ATTACHED or file.name.lower().endswith(".eml")
    if not is_mail or not deepest:
        return False
    mail = parse(content)
    if _TOKEN.search(mail.text) or _TOKEN.search(mail.html):
        return True
    inside = (each for each in mail.attachments if not each.content_type.lower().startswith(_OPAQUE))
    return any(_holds(each, deepest - 1) for each in inside)
