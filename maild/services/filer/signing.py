"""The answer that customers get where their department sends the agent's own signature along (`signature = true`).

What is stored, searched and shown to colleagues is the answer without it; so is what tells whether words stand alone.
"""

import re
from typing import Final

from maild.message import commands, html
from maild.message.commands import Circumstances
from maild.message.reply import Reply

_AGENTS_TOKEN: Final = re.compile(
    r"t[0-9]+\.[and][0-9]+\.[a-z0-9]{27}|[hj][0-9]+\.a[0-9]+\.[a-z0-9]{27}", re.IGNORECASE
)


def signed_answer(reply: Reply, circumstances: Circumstances, prepared: str = "") -> Reply | None:
    """Return an answer with its author's signature and without the words on top, None if it must not go along.

    `reply` is what he wrote, words and all; `prepared` the texts that he put before it by `#use`.
    """
    signed = reply.signed()
    text, markup = signed.text, signed.html
    written = html.to_text(markup) if markup else ""
    if commands.block_lines(written.splitlines(), circumstances):
        if not commands.block_lines(text.splitlines(), circumstances):
            text = written
        markup = commands.without_block(markup, circumstances)
    rest = commands.parse(text, circumstances).rest
    whole = "\n\n".join(part for part in (prepared, rest) if part)
    answer = signed.rest(whole, commands.before(markup, prepared))
    return None if betrays(answer) else answer


def betrays(reply: Reply) -> bool:
    """Return whether an answer still holds addresses that were made for an agent, such as a footer that he quotes."""
    return any(_AGENTS_TOKEN.search(part) is not None for part in (reply.text, reply.html))
