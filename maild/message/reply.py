"""The new text of a mail: what its author wrote this time, without quotes, attribution lines and signatures.

Structure before words: (1) the line above which we ask people to write; (2) what we sent ourselves, which the
store knows; (3) the HTML elements in which mail programs put quotes; (4) rules over lines (`quotes`,
`signatures`) that hold in any language. The laws of what may go are in `excerpt`. A lost word is far worse than
a quote that stays, the result is never empty, and what was left out is in `Reply.cut`.

The HTML is looked at only if the mail has no plain text, if that showed no quote and the HTML may, or if the new
part is wanted as HTML; HTML that would tie up a tree builder is never given to one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from maild.message import announcements, excerpt, html, outline, phrases, quotes, signatures
from maild.message.excerpt import Ours
from maild.message.once import once
from maild.message.outline import Outline
from maild.message.parse import Message
from maild.message.subject import base_subject

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

#: Without one of these an HTML body holds no quote and no signature that could be told by its structure.
_QUOTING_TAG = re.compile(rb"<(?:blockquote|hr)")
_MAY_QUOTE = (
    b"divrplyfwdmsg", b"border-top", b"stopspelling", b"zwchr", b"signature", b"editor-reference", b"moz-cite",
)  # fmt: skip
# One character tells that none of these is there.
_MAY_QUOTE_BY_UNDERSCORE = (b"gmail_", b"_quote", b"olk_src_body", b"zmail_extra")
_TAGS = re.compile(r"^(?:\s?\[[^\[\]]{1,60}\])+\s?")
_TAIL_LINES = 80  # of a text that quotes nothing: a signature is never longer


@dataclass(frozen=True)
class Reply:
    """The new part of a mail."""

    text: str
    cut: str  # what was left out, "" if nothing was
    _message: Message = field(repr=False)
    _ours: Ours | None = field(repr=False, default=None)
    _markup: str | None = field(repr=False, default=None)
    _signed: bool = False

    def rest(self, text: str, markup: str) -> "Reply":
        """Return what is left of it once its first lines, which were for us, are gone."""
        return replace(self, text=text, _markup=markup)

    def signed(self) -> "Reply":
        """Return all that is new and the author's own signature, as it was before `rest` took anything off."""
        return _new(self._message, self._ours, signed=True)

    @once
    def html(self) -> str:
        """Return the new part as sanitised HTML, "" if the mail has no HTML."""
        if self._markup is not None:
            return self._markup
        source = self._message.html
        if not source:
            return ""
        return html.clean((_new_html(self._message, self._ours, signed=self._signed) if self.cut else "") or source)


def new_text(message: Message, known: Sequence[str] = ()) -> Reply:
    """Return what the author of `message` wrote this time.

    `known` are the texts that we ourselves sent on this ticket, if there is one: they are recognised
    wherever they come back.
    """
    return _new(message, Ours(known) if known else None, signed=False)


def _new(message: Message, ours: Ours | None, *, signed: bool) -> Reply:
    if message.html_only:
        return _from_html(message, ours, signed=signed) or _from_text(message, ours, signed=signed)
    reply = _from_text(message, ours, signed=signed)
    if reply.cut:
        return reply
    structured = _from_html(message, ours, signed=signed)
    return structured if structured is not None and structured.cut else reply


def _from_text(message: Message, ours: Ours | None, *, signed: bool) -> Reply:
    text = message.text
    if ours is None and not quotes.may_quote(text):
        return Reply(text.strip("\n"), "", message, _signed=True) if signed else _without_signature(message)
    lines = announcements.unglued(text).split("\n")
    kept = excerpt.own(lines, ours=ours, answer=is_answer(message), forward=is_forward(message), signed=signed)
    if all(kept):
        return Reply(message.text.strip("\n"), "", message, ours, _signed=signed)
    return Reply(_joined(lines, kept, True), _joined(lines, kept, False), message, ours, _signed=signed)


def _without_signature(message: Message) -> Reply:
    """Return the new text of a mail that quotes nothing: all but the signature."""
    lines = message.text.rsplit("\n", _TAIL_LINES)
    kind = ["t", *quotes.kinds(lines[1:])]
    at = signatures.start(lines, kind, len(lines))
    if at == len(lines) or not "".join(lines[:at]).strip():
        return Reply(message.text.strip("\n"), "", message)
    return Reply("\n".join(lines[:at]).strip("\n"), "\n".join(lines[at:]).strip("\n"), message)


def _joined(lines: Sequence[str], kept: Sequence[bool], wanted: bool) -> str:
    return "\n".join(compress(lines, kept if wanted else map(not_, kept))).strip("\n")


def _from_html(message: Message, ours: Ours | None, *, signed: bool) -> Reply | None:
    """Return the new text by the structure of the HTML, None if that was not looked at."""
    source = message.html
    if not source:
        return None
    found, kept, tree = _outlined(message, ours, wanted=bool(ours) or _may_quote(source), signed=signed)
    if tree is None:
        return None
    if all(kept):
        return Reply(message.text.strip("\n"), "", message, ours, _signed=signed)
    cut = _joined(found.lines, kept, False)
    outline.keep(found, kept)
    return Reply(html.to_text(tree.html or "").strip("\n"), cut, message, ours, _signed=signed)


def _new_html(message: Message, ours: Ours | None, *, signed: bool) -> str:
    """Return the HTML body without what is not new, "" if its structure does not tell."""
    found, kept, tree = _outlined(message, ours, wanted=True, signed=signed)
    if tree is None:
        return ""
    outline.keep(found, kept)
    outline.trim(tree)
    return tree.html or ""


def _outlined(
    message: Message, ours: Ours | None, *, wanted: bool, signed: bool
) -> "tuple[Outline, list[bool], LexborHTMLParser | None]":
    """Return the HTML body as lines, which of them are new, and its tree: None if it is not wanted, or hostile."""
    source = message.html
    if not wanted or not html.is_tame(source):
        return Outline(), [], None
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 (loads a library that plain mails never need)

    tree = LexborHTMLParser(source)
    found = outline.read(tree)
    answer, forward = is_answer(message), is_forward(message)
    kept = excerpt.own(found.lines, found.marks, ours=ours, answer=answer, forward=forward, signed=signed)
    return found, kept, tree


def _may_quote(source: str) -> bool:
    lower = source.encode("utf-8", "replace").lower()  # of bytes only ASCII is lowered, which is what is looked for
    if b"_" in lower and any(tell in lower for tell in _MAY_QUOTE_BY_UNDERSCORE):
        return True
    return _QUOTING_TAG.search(lower) is not None or any(tell in lower for tell in _MAY_QUOTE)


def is_answer(message: Message) -> bool:
    """Tell whether the mail answers another one, by its references or its subject."""
    if message.in_reply_to or message.references:
        return True
    subject = message.subject[:200]
    base = base_subject(subject)
    return any(colon in subject[: max(0, len(subject) - len(base))] for colon in ":：﹕︰")


def is_forward(message: Message) -> bool:
    """Tell whether the subject says that another mail was passed on."""
    subject = message.subject[:200].replace("：", ":")
    if ":" not in subject:
        return False
    subject = _TAGS.sub("", subject)
    prefix, colon, _ = subject[:40].partition(":")
    return bool(colon) and prefix.strip(" []").casefold() in phrases.FORWARD_PREFIXES
