"""What a delivery report brings back of the mail it is about, and where its own words end."""

import re

from maild.message import headers
from maild.message.mime import Part
from maild.message.parse import Message

TEXT_CHARACTERS = 65_536  # of a report's text that are looked at

_RETURNED_MAILS = ("message/rfc822", "message/global", "text/rfc822", "message/partial")
_RETURNED_HEADERS = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822-header")
_COPY_BEGINS = re.compile(
    r"^.{0,40}(?:copy of (?:the|your) (?:original )?(?:message|mail)|original message (?:follows|headers|attached|-)"
    r"|returned m(?:ail|essage)|unsent message (?:below|follows)|(?:message|mail) (?:headers?|text) follows?"
    r"|header of the source mail|original mail (?:header|as)|below this line|original message:|message headers:)",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD_LINE = re.compile(
    r"^[> \t]{0,4}(?:Received|Return-Path|Message-ID|DKIM-Signature|From|Date|Subject|MIME-Version|X-[A-Za-z-]{2,30}):",
    re.MULTILINE | re.IGNORECASE,
)
_MESSAGE_ID = re.compile(r"^[> \t|]{0,8}Message-?ID:[ \t]*\n?[ \t]*<([^<>\s]{3,900})>", re.MULTILINE | re.IGNORECASE)


def report_text(message: Message) -> str:
    """Return what the report itself says, without the mail that it returns below."""
    text = message.text[:TEXT_CHARACTERS]
    match = _COPY_BEGINS.search(text, 1)
    if match and _HEAD_LINE.search(text, match.end(), match.end() + 2000):
        return text[: match.start()]
    return text


def original_message_id(message: Message) -> str:
    """Return the Message-ID of the mail that a report is about, without angle brackets, "" if it does not tell.

    Looked for in the returned mail or its headers, then in the report's text, then in In-Reply-To and
    References, with which Exchange and others point at it.
    """
    for part in message.parts.walk():
        found = _of_part(part)
        if found:
            return found
    match = _MESSAGE_ID.search(message.text[:TEXT_CHARACTERS])
    if match:
        return match.group(1)
    pointed = message.in_reply_to or message.references[-1:]
    return pointed[0] if pointed else ""


def _of_part(part: Part) -> str:
    if part.content_type in _RETURNED_MAILS:
        inner = (
            part.message().head
            if part.content_type != "text/rfc822"
            else headers.read(part.content()[: headers.SECTION_BYTES]).headers
        )
        return next(iter(headers.ids(inner.raw("message-id"))), "")
    if part.content_type in _RETURNED_HEADERS or part.content_type == "message/disposition-notification":
        inner = headers.read(part.content()[: headers.SECTION_BYTES].lstrip()).headers
        return next(iter(headers.ids(inner.raw("message-id") or inner.raw("original-message-id"))), "")
    if part.content_type == "text/plain" and part.depth > 0 and part.name:
        match = _MESSAGE_ID.search(part.content()[:TEXT_CHARACTERS].decode("latin-1").replace("\r\n", "\n"))
        return match.group(1) if match else ""
    return ""
