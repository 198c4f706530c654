"""Bounces: which recipients a mail server could not reach, why, and with which of our mails.

    message/delivery-status   RFC 3464, and RFC 6533 for other alphabets     first, and believed
    X-Failed-Recipients       Exim, Google
    status fields in a text   mail programs that take reports apart
    vendors' formats          flufl.bounce, then plain sentences; only for what comes from a mail server

"Comes from a mail server" is judged from sender, return path and subject (`is_report`), because a person may
write about a bounce, and phishing dresses as one. flufl.bounce raises on some mails and is slow on long ones,
so it sees a copy of bounded size with plain headers, and whatever it raises counts as "not found".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from maild.message import headers
from maild.message.mime import Part
from maild.message.parse import Message
from maild.message.refusals import BAD_ADDRESS, BLAME, SUBJECT, SUBJECT_LOWER
from maild.message.returned import original_message_id, report_text

RECIPIENTS = 500  # of one report
_REPORT_BYTES = 65_536  # of a status part, or of what flufl.bounce is shown
_LINES = 1_500  # flufl.bounce goes some fifty times through all of them
_LINE_BYTES = 400  # flufl.bounce's patterns take the square of a line's length

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_REPORT_TYPES = (*_STATUS_TYPES, "message/disposition-notification")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_STATUS_IN_TEXT = re.compile(r"(?<![\d.])[45]\.[0-7]\.\d{1,3}(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([45])\d\d(?=[ \-#:,]|$)")
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:@]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?", re.IGNORECASE)
_MACHINE = re.compile(r"mailer-?daemon|mail-?daemon|mdaemon|mail(?:er)?[-._]?delivery|mail\.?system", re.IGNORECASE)
# These write reports, but a person may sit behind them.
_OFFICE = re.compile(r"postmaster|system administrator|^ndr$|^bounces?$|^returned-?mail", re.IGNORECASE)
_PASSED_ON = re.compile(r"(?:fwd?|wg|tr|rv|enc|aw|sv)\s?:", re.IGNORECASE)
_PROGRAM = re.compile(
    r"\b(?:outlook|thunderbird|apple mail|iphone|ipad|android|evolution|mutt|lotus|"
    r"roundcube|squirrel|webmail|eudora|mozilla|kmail)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient who did not get the mail, or not yet."""

    recipient: str  # as we wrote it where the report says so (Original-Recipient), else as it was resolved
    action: str  # "failed", "delayed"
    status: str  # enhanced status code (RFC 3463), "" if none is told
    permanent: bool  # the mail will not be delivered any more
    diagnostic: str  # what the refusing server said, on one line

    @property
    def bad_address(self) -> bool:
        """Tell whether the address itself is the trouble (RFC 3463 3.2), not a full mailbox or a policy."""
        if not self.permanent or self.status.startswith("4."):
            return False
        if _STATUS_BAD.match(self.status):
            return True
        if self.status in ("", "5.0.0", "5.3.0", "5.4.1", "5.5.0", "5.7.1") or self.status.startswith(
            ("5.2.0", "5.4.0")
        ):
            return BAD_ADDRESS.search(self.diagnostic) is not None and not _FULL.search(self.diagnostic)
        return False


def blames_address(words: str) -> bool:
    """Tell whether a server's own words of refusal (`550 5.1.1 no such user`) blame the address itself."""
    status = _STATUS.search(words)
    return Failure("", "failed", status[0] if status else "", True, words).bad_address


_STATUS_BAD = re.compile(r"5\.1\.(?:0|1|2|3|4|6|10)$|5\.2\.1$|5\.4\.4$")
_FULL = re.compile(r"quota|mailbox (?:is )?full|full mailbox|over ?quota", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a delivery report says."""

    original_message_id: str  # of the mail that came back, without angle brackets, "" if not told
    failed: tuple[Failure, ...]
    delivered: tuple[str, ...] = ()  # recipients who got it (RFC 3461 NOTIFY=SUCCESS)


def read(message: Message) -> Bounce | None:
    """Return what the delivery report `message` says, None if it is none."""
    failed, delivered = _status_parts(message)
    if not failed and not delivered and is_report(message):
        failed = _failed_header(message) or _status_in_text(message) or _vendors(message) or _sentences(message)
    elif not failed and not delivered and _looks_like_report(message):
        failed = _status_in_text(message) or _vendors(message)
    if not failed and not delivered:
        return None
    if any(not one.diagnostic for one in failed):
        text = report_text(message)
        failed = [one if one.diagnostic else _explained(one, text) for one in failed[:RECIPIENTS]]
    unique = {one.recipient.lower(): one for one in reversed(failed)}
    return Bounce(
        original_message_id(message), tuple(reversed(unique.values()))[:RECIPIENTS], tuple(delivered)[:RECIPIENTS]
    )


def _explained(failure: Failure, text: str) -> Failure:
    """Return a failure whose fields give no reason with what the text of the report says beside its address."""
    found = _failure(failure.recipient, text)
    if failure.recipient.lower() not in found.diagnostic.lower():
        return failure
    return replace(failure, diagnostic=found.diagnostic, status=failure.status or found.status)


def is_machine(message: Message) -> bool:
    """Tell whether a mail server is the sender, by its address or an empty one."""
    sender = message.from_
    return sender is not None and (not sender.address or _MACHINE.search(_local(sender.address)) is not None)


def _local(address: str) -> str:
    return address.rpartition("@")[0] or address


def is_report(message: Message) -> bool:
    """Tell whether `message` comes from a mail server: by form, return path or sender."""
    if message.parts.content_type == "multipart/report" or message.header("x-failed-recipients"):
        return True
    path = message.header("return-path").strip().lower()
    if (path == "<>" or "mailer-daemon" in path) and not message.header("auto-submitted").lower().startswith(
        "auto-replied"
    ):
        return True
    if is_machine(message):
        return True
    sender = message.from_
    return sender is not None and _OFFICE.search(_local(sender.address)) is not None and has_report_subject(message)


def may_report(message: Message) -> bool:
    """Tell whether there is anything of a report about `message`; of most mails there is nothing, which ends it."""
    return has_report_subject(message) or is_report(message) or _has_parts_of(message.parts, _REPORT_TYPES)


def _looks_like_report(message: Message) -> bool:
    """Tell whether a mail from an ordinary address is a mail server's: its subject, and no sign of a person.

    People pass reports on, and write about them: from a mail program, as an answer or a forward, below a greeting.
    """
    if message.in_reply_to or not has_report_subject(message) or _PASSED_ON.match(message.subject):
        return False
    return not any(
        _PROGRAM.search(message.header(name)) for name in ("x-mailer", "user-agent", "x-mimeole", "mime-version")
    )


def has_report_subject(message: Message) -> bool:
    """Tell whether the subject is one that mail servers write."""
    subject = message.subject[:200]
    if subject.isascii():  # only there is it the same to lower a letter and to disregard its case
        return SUBJECT_LOWER.search(subject.lower()) is not None
    return SUBJECT.search(subject) is not None


# ---------------------------------------------------------------- RFC 3464


def _status_parts(message: Message) -> tuple[list[Failure], list[str]]:
    failed: list[Failure] = []
    delivered: list[str] = []
    for part in message.parts.walk():
        if part.content_type == "message/disposition-notification":
            failed += _rejected(part)
        elif part.content_type in _STATUS_TYPES:
            text = part.content()[:_REPORT_BYTES].decode("utf-8", "replace")
            for fields in groups(text):
                _take(fields, failed, delivered)
    return failed, delivered


def _rejected(part: Part) -> list[Failure]:
    """Read a refusal dressed as a disposition notification: Dovecot's local delivery, when a mailbox is full."""
    text = part.content()[:_REPORT_BYTES].decode("utf-8", "replace")
    for fields in groups(text):
        disposition = "".join(fields.get("disposition", "").lower().split())
        recipient = _recipient(fields.get("final-recipient", ""))
        if recipient and disposition.startswith("automatic-action/mdn-sent-automatically;deleted"):
            return [Failure(recipient, "failed", "", True, "rejected by the recipient's server")]
    return []


def groups(text: str) -> Iterator[dict[str, str]]:
    """Yield the groups of fields of a status part (RFC 3464 2.1); a missing empty line between them is made up for."""
    fields: dict[str, str] = {}
    name = ""
    encoded = False
    for line in text.replace("\r", "").split("\n"):
        head, colon, value = line.partition(":")
        if not line.strip():
            encoded = fields.get("content-transfer-encoding", "").lower() == "base64"  # seen in practice: Proofpoint
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t" and name:
            fields[name] = f"{fields[name]} {line.strip()}"[:1000]
        elif colon and " " not in head.strip():
            name = head.strip().lower()
            if name in ("final-recipient", "original-recipient") and name in fields:
                yield fields
                fields = {}
            fields.setdefault(name, value.strip()[:1000])
        elif encoded:
            fields["encoded"] = fields.get("encoded", "") + line.strip()
    if fields:
        yield fields


def _take(fields: dict[str, str], failed: list[Failure], delivered: list[str]) -> None:
    """Read one group: one recipient."""
    if "encoded" in fields:
        inner = headers.unbase64(fields["encoded"].encode("ascii", "ignore")).decode("utf-8", "replace")
        for group in groups(inner):
            _take(group, failed, delivered)
        return
    action = fields.get("action", "").lower().split("(")[0].strip().split(" ")[0].rstrip(";")
    recipient = _recipient(fields.get("original-recipient", "")) or _recipient(fields.get("final-recipient", ""))
    recipient = recipient or _recipient(fields.get("x-actual-recipient", ""))
    if not recipient or not action:
        return
    diagnostic = fields.get("diagnostic-code", "")
    match = _STATUS.search(fields.get("status", "")) or _STATUS.search(diagnostic)
    status = match.group() if match else ""
    if action.startswith(("fail", "error")):
        failed.append(Failure(recipient, "failed", status, True, diagnostic))
    elif action.startswith("delay"):
        failed.append(Failure(recipient, "delayed", status, False, diagnostic))
    elif action in ("delivered", "relayed", "expanded"):
        delivered.append(recipient)


def _recipient(value: str) -> str:
    """Return the address of `rfc822; address`; the type, angle brackets and comments are left out as often as not."""
    kind, semicolon, rest = value.partition(";")
    text = rest if semicolon and "@" not in kind else value
    match = _ADDRESS.search(text)
    if match:
        return match.group()
    if semicolon and kind.strip().lower() in ("rfc822", "utf-8"):
        return text.strip().strip("<>")[:320]
    return ""


# ---------------------------------------------------------------- everything else


def _failed_header(message: Message) -> list[Failure]:
    found = [match for value in message.headers("x-failed-recipients") for match in _ADDRESS.findall(value[:8192])]
    return [_failure(one, report_text(message)) for one in found]


def _status_in_text(message: Message) -> list[Failure]:
    """Read status fields that stand in the text (Amazon WorkMail, Lotus)."""
    text = report_text(message)
    if "inal-Recipient:" not in text:
        return []
    failed: list[Failure] = []
    fields: dict[str, str] = {}
    for group in groups(text):
        fields = {**fields, **group} if "action" not in group or "action" not in fields else group
        if "action" in fields and "final-recipient" in fields:
            _take(fields, failed, [])
            fields = {}
    return failed


def _vendors(message: Message) -> list[Failure]:
    """Ask flufl.bounce, which knows some twenty formats."""
    import email  # noqa: PLC0415 (with flufl.bounce 30 ms to import, for one mail in a hundred)

    from flufl.bounce import all_failures  # noqa: PLC0415 (see above)

    try:
        delayed, failed = all_failures(email.message_from_bytes(_simplified(message)))
    except Exception:  # noqa: BLE001 (a foreign parser on hostile input: seen to raise AttributeError, IndexError)
        return []
    text = report_text(message)
    found = [_failure(one.decode("utf-8", "replace"), text) for one in sorted(failed)]
    found += [_failure(one.decode("utf-8", "replace"), text, delayed=True) for one in sorted(delayed - failed)]
    return [one for one in found if one.recipient]


def _simplified(message: Message) -> bytes:
    """Return the mail with plain headers and short lines, as much of it as a report needs."""
    top = message.parts
    sender = message.from_.address if message.from_ else ""
    head = [
        b"From: " + (sender or "nobody@invalid").encode("ascii", "replace"),
        b"Subject: " + message.subject.encode("ascii", "replace")[:_LINE_BYTES],
        b"Content-Type: " + b" ".join(message.head.raw("content-type").split())[:_LINE_BYTES],
    ]
    for name in ("to", "x-failed-recipients", "content-transfer-encoding", "x-mailer"):
        value = b" ".join(message.head.raw(name).split())[:_LINE_BYTES]
        if value:
            head.append(name.encode("ascii") + b": " + value)
    body = message.raw[top.body_at : top.body_at + _REPORT_BYTES]
    lines = body.replace(b"\r", b"").split(b"\n")[:_LINES]
    clean = bytes(
        byte if byte < 128 else 63 for byte in b"\n".join([*head, b"", *(line[:_LINE_BYTES] for line in lines)])
    )
    return clean[: 2 * _REPORT_BYTES]


def _failure(recipient: str, text: str, *, delayed: bool = False) -> Failure:
    """Return a failure with what the report says about `recipient`, as far as it can be found."""
    match = _ADDRESS.search(recipient)
    address = match.group() if match else recipient.strip("<> ")[:320]
    at = text.lower().find(address.lower())
    near = text[at : at + 600] if at >= 0 else text[:2000]
    status = _STATUS_IN_TEXT.search(near) or _STATUS_IN_TEXT.search(text[:4000])
    code = _CODE.search(near)
    diagnostic = " ".join(near.split())[:300]
    return Failure(
        address,
        "delayed" if delayed else "failed",
        status.group() if status else "",
        not delayed,
        diagnostic if status or code or at >= 0 else "",
    )


_AROUND = " \t<>*-:.[]()'\""


def _sentences(message: Message) -> list[Failure]:
    """Find an address beside a reply code, or alone on a line below a sentence that says "not delivered"."""
    if not (is_machine(message) or has_report_subject(message)):
        return []
    text = report_text(message)
    blamed = False
    found: list[str] = []
    for line in text.split("\n")[:300]:
        short = line[:_LINE_BYTES]
        address = _ADDRESS.search(short)
        rest = short.replace(address.group(), "") if address else short
        if address and (
            _CODE.search(rest) or _STATUS_IN_TEXT.search(rest) or (blamed and len(rest.strip(_AROUND)) <= 12)
        ):
            found.append(address.group())
        elif BLAME.search(short):
            blamed = True
    ours = {one.address.lower() for one in message.to}
    found = [one for one in found if one.lower() not in ours]
    delayed = (
        re.search(r"delayed|warning|still being retried|not yet been", message.subject + text[:1000], re.IGNORECASE)
        is not None
    )
    return [_failure(one, text, delayed=delayed) for one in dict.fromkeys(found)]


def has_status_part(part: Part) -> bool:
    """Tell whether a mail's tree holds a status part."""
    return _has_parts_of(part, _STATUS_TYPES)


def _has_parts_of(part: Part, types: tuple[str, ...]) -> bool:
    return part.content_type in types or (bool(part.parts) and any(one.content_type in types for one in part.walk()))
