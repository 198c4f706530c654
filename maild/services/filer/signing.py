"""The answer that customers get where their department sends the agent's own signature along (`signature = true`).

What is stored, searched and shown to colleagues is the answer without it; so is what tells whether words stand alone.
"""

from maild.message import commands, html
from maild.message.commands import Circumstances
from maild.message.reply import Reply
from maild.services.filer.betraying import betrays


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
