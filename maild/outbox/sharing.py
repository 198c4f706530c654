"""What the agents of a department get of one happening is rendered once: only their own addresses differ.

Rendering is most of the work of a mail, and a department may have twenty agents. Their signed addresses are put into
the rendered words in each other's place; no other text can hold one, since nobody else can make it.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from maild.message.compose import File
from maild.message.filename import by_type
from maild.message.parse import Attachment
from maild.outbox.letters import Asked, FiledMail, Letter, Post
from maild.rules.state import Tell
from maild.store.threads import Whole
from maild.templates import Rendered, Templates
from maild.templates.mails import Mail, ToAgent

_SIGNATURES: Final = (
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-signature",
    "application/pkcs7-mime",
    "application/x-pkcs7-mime",
)
FILES_BYTES: Final = 20 << 20  # of a mail's files that are passed on; what is larger stays with the mail in the store


class Sharing:
    """The words and files of one batch of letters."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._rendered: dict[tuple[int, str], tuple[ToAgent, Rendered]] = {}
        self._files: dict[tuple[int, bool], tuple[File, ...]] = {}

    def render(self, post: Post, words: Mail, language: str) -> Rendered:
        """Return `words`, which are said because of `post`, in `language`."""
        if not isinstance(words, ToAgent):
            return self._templates.render(words, language)
        key = id(post), language
        if key in self._rendered:
            others, rendered = self._rendered[key]
            if _in_place_of(words, others) == others:
                return _readdressed(rendered, others, words)
        rendered = self._templates.render(words, language)
        self._rendered[key] = words, rendered
        return rendered

    def files(self, letter: Letter) -> tuple[File, ...]:
        """Return the files that go with a mail: what the customer sent to the agents, what an agent sent to him.

        With a ticket that somebody asked for go its mails.
        """
        about = letter.post.about
        if isinstance(about, Asked):
            return tuple(map(_enclosed, about.thread))
        if not isinstance(about, FiledMail) or letter.post.tell not in (Tell.ANSWER, Tell.NOTIFICATION):
            return ()
        key = id(about), letter.agent is None
        if key not in self._files:
            self._files[key] = tuple(_passed_on(about, to_agents=letter.agent is not None))
        return self._files[key]


def goes_to_customers(file: Attachment) -> bool:
    """Return whether a file of an agent's answer goes along with it.

    Not what signed the mail as he sent it: it fits no other mail, and an opaque signature is that mail, quotes and all.
    """
    return not file.content_type.lower().startswith(_SIGNATURES)


def _passed_on(about: FiledMail, *, to_agents: bool) -> Iterator[File]:
    room = FILES_BYTES
    for each in about.message.attachments:
        if each.size_bytes <= room and (to_agents or goes_to_customers(each)):
            room -= each.size_bytes
            yield File(
                each.name or by_type(each.content_type), each.content_type, each.content(), each.content_id, each.inline
            )


def _enclosed(mail: Whole) -> File:
    """Return a mail as a file that mail programs open."""
    name = f"{mail.at:%Y-%m-%d %H.%M} {mail.author} - {mail.subject}"[:120].replace("/", " ")
    return File(f"{name.strip(' -.')}.eml", "message/rfc822", mail.content)


def _in_place_of(words: ToAgent, others: ToAgent) -> ToAgent:
    """Return the words for one agent with the addresses of another."""
    own = {words.note: others.note, words.desk: others.desk}
    actions = tuple(replace(each, address=own.get(each.address, each.address)) for each in words.actions)
    return replace(words, note=others.note, desk=others.desk, actions=actions)


def _readdressed(rendered: Rendered, others: ToAgent, words: ToAgent) -> Rendered:
    """Return what was rendered for another agent with the addresses of the one that `words` are for."""
    text, html = rendered.text, rendered.html
    for old, new in ((others.note, words.note), (others.desk, words.desk)):
        before, after = _signed(old), _signed(new)
        if before:
            text, html = text.replace(before, after), html.replace(before, after)
    return Rendered(rendered.subject, text, html)


def _signed(address: str) -> str:
    """Return the part of an address that is its holder's alone: letters, digits and dots, the same in every link."""
    return address.rpartition("@")[0].rpartition("+")[2]
