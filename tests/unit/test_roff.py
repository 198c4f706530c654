"""Text in roff: shown as it is, obeyed never."""

import click
import pytest

from maild.cli import roff


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (".SH NAME", "\\&.SH NAME"),
        ("'br", "\\(aqbr"),
        ("a\n.b", "a\n\\&.b"),
        ("C:\\new", "C:\\enew"),
        ("--json", "\\-\\-json"),
        ("~/.pgpass ^`", "\\(ti/.pgpass \\(ha\\(ga"),
        ("für", "f\\[u00FC]r"),
    ],
)
def test_no_text_is_taken_for_a_request(text: str, written: str) -> None:
    assert roff.escape(text) == written


def test_what_is_laid_out_by_hand_stays_so() -> None:
    @click.command(name="x", short_help="Short.")
    def command() -> None:
        """Words that may be filled.

        \b
        one  1
        two  2
        """

    page = roff.command_page(click.Group("maild", commands={"x": command}), "x", "1")

    assert ".nf\none  1\ntwo  2\n.fi\n" in page


def test_keys_side_by_side_share_their_words() -> None:
    page = roff.configuration_page(
        "# The file.\n\n# A table.\n[a]\n\n# Two.\n# Keys.\n#b = 1\nc = 2\n\n# One.\nd = 3\n", "1"
    )

    assert ".SH \\fB[a]\\fR\n.PP\nA table.\n.TP\n\\fB#b\\fR = 1\n.TQ\n\\fBc\\fR = 2\nTwo. Keys.\n" in page
    assert ".TP\n\\fBd\\fR = 3\nOne.\n" in page
