"""What was read from a mail, as a value that JSON can hold: the answer of `maild mail parse --json`.

The names are a promise to operators (docs/operate.md): they may grow, not change. `file` is added by the
command, which alone knows files.
"""

from collections.abc import Iterable
from typing import Any

from maild.message import html
from maild.message.address import Address
from maild.message.bounce import Bounce
from maild.message.classify import Classification
from maild.message.parse import Attachment, Message
from maild.message.reply import Reply


def described(
    message: Message, classification: Classification, reply: Reply, bounce: Bounce | None, language: str | None
) -> dict[str, Any]:
    """Return all that `message` says, and what the other rooms made of it; attachments are decoded for their hashes."""
    return {
        "message_id": message.message_id,
        "in_reply_to": list(message.in_reply_to),
        "references": list(message.references),
        "from": _address(message.from_) if message.from_ else None,
        "sender": _address(message.sender) if message.sender else None,
        "reply_to": _addresses(message.reply_to),
        "to": _addresses(message.to),
        "cc": _addresses(message.cc),
        "date": message.date.isoformat() if message.date else None,
        "subject": message.subject,
        "kind": str(classification.kind),
        "kind_reasons": list(classification.reasons),
        "language": language,
        "text": message.text,
        "reply": reply.text,
        "html": html.clean(message.html),
        "html_only": message.html_only,
        "attachments": [_attachment(one) for one in message.attachments],
        "bounce": _bounce(bounce) if bounce else None,
        "defects": list(message.defects),
    }


def _address(address: Address) -> dict[str, str]:
    return {"name": address.name, "address": address.address}


def _addresses(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [_address(one) for one in addresses]


def _attachment(attachment: Attachment) -> dict[str, Any]:
    return {
        "name": attachment.name or None,
        "content_type": attachment.content_type,
        "size": attachment.size_bytes,
        "sha256": attachment.sha256,
        "inline": attachment.inline,
        "content_id": attachment.content_id or None,
    }


def _bounce(bounce: Bounce) -> dict[str, Any]:
    return {
        "original_message_id": bounce.original_message_id or None,
        "failed": [
            {
                "recipient": one.recipient,
                "action": one.action,
                "status": one.status,
                "permanent": one.permanent,
                "diagnostic": one.diagnostic,
            }
            for one in bounce.failed
        ],
    }
