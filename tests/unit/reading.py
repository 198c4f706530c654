"""Small mails for the tests of what a mail says."""

from maild.message.html import clean
from maild.message.parse import Message, parse


def mail(
    text: str, subject: str = "Re: Printer", html: str = "", answers: str = "1@acme.example", **headers: str
) -> Message:
    """Return a mail of a customer; `headers` may change or add any (`return_path="<>"`), "" leaves one out."""
    fields = {
        "From": "Ada <ada@customer.example>",
        "To": "support@acme.example",
        "Subject": subject,
        "Date": "Mon, 2 Nov 2026 10:00:00 +0000",
        "Message-ID": "<2@customer.example>",
        "In-Reply-To": f"<{answers}>" if answers else "",
        "MIME-Version": "1.0",
    }
    names = {name.lower(): name for name in fields}
    for key, value in headers.items():
        name = key.replace("_", "-")
        fields[names.get(name.lower(), name.title())] = value
    body = text
    if html and text:
        fields["Content-Type"] = 'multipart/alternative; boundary="b"'
        body = (
            f"--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
            f"--b\nContent-Type: text/html; charset=utf-8\n\n{html}\n--b--\n"
        )
    elif "Content-Type" not in fields:
        fields["Content-Type"] = f"text/{'html' if html else 'plain'}; charset=utf-8"
        body = html or text
    head = "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
    return parse(f"{head}\n{body}".encode())


def report(parts: str, **headers: str) -> Message:
    """Return a delivery report whose parts (between `--b` lines) are `parts`."""
    given = {
        "from_": "Mail Delivery System <MAILER-DAEMON@mx.example>",
        "return_path": "<>",
        "content_type": 'multipart/report; report-type=delivery-status; boundary="b"',
    } | headers
    given["from"] = given.pop("from_")
    return mail(parts, given.pop("subject", "Undelivered Mail Returned to Sender"), answers="", **given)


def read_all(raw: bytes) -> Message:
    """Ask for everything that a mail can be asked for."""
    message = parse(raw)
    _ = (message.message_id, message.in_reply_to, message.references, message.sender, message.date, message.subject)
    _ = (message.froms, message.to, message.cc, message.reply_to, message.thread_index, message.content_language)
    _ = (message.text, message.html_only, message.defects, clean(message.html))
    for part in message.parts.walk():
        _ = (part.name, part.content_id, part.disposition)
    for attachment in message.attachments:
        _ = (attachment.size_bytes, attachment.sha256)
    return message
