"""The block of words in an HTML body: clients that write HTML send the words there, too."""

from html import escape

from maild.message import html, outline
from maild.message.commands.block import block_lines
from maild.message.commands.values import Circumstances


def before(markup: str, text: str) -> str:
    """Return sanitised `markup` with the plain `text` before it, "" if there is none of it."""
    if not markup or not text:
        return markup
    paragraphs = "".join(f"<p>{escape(each)}</p>" for each in text.split("\n\n"))
    return html.clean(paragraphs.replace("\n", "<br>") + markup)


def without_block(markup: str, circumstances: Circumstances) -> str:
    """Return sanitised `markup` without the block on top of it, "" if it cannot be told apart from the answer.

    Whoever gets "" has the plain text, of which `block.parse` knows what is an answer; so no word that a client put
    into strange HTML reaches a customer.
    """
    if not markup or not html.is_tame(markup):
        return ""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 (loads a library that plain mails never need)

    tree = LexborHTMLParser(markup)
    found = outline.read(tree)
    commanding = block_lines(found.lines, circumstances)
    if not commanding:
        return ""
    outline.keep(found, [number >= commanding for number in range(len(found.lines))])
    rest = html.clean(tree.html or "")
    text = html.to_text(rest)
    return rest if text.strip() and not block_lines(text.splitlines(), circumstances) else ""
