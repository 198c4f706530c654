"""Words to look for in a subject, as an operator writes them."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.rules.pattern import LONGEST_LINE, Pattern


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("invoice", "Your INVOICE 77"),
        ("invoice", "Re: invoice"),
        ("invoice", "(invoice)"),
        ("refund*", "Refunding my order"),
        ("*card", "a Postcard"),
        ("*1234*", "order AB1234X"),
        ("order * late", "my Order\t  77 is  late!"),
        ("order   late", "order late"),
        ("a*b*a", "a b ba a"),
        ("请求*", "请求帮助"),
        ("*帮助*", "请求帮助我"),
        ("straße", "STRASSE gesperrt"),
        ("c++", "about C++"),
    ],
)
def test_what_is_found(pattern: str, line: str) -> None:
    assert Pattern.parse(pattern).found_in(line)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("invoice", "invoices"),
        ("invoice", "preinvoice"),
        ("refund*", "a prerefund"),
        ("*card", "cardboard"),
        ("order * late", "late order"),
        ("order * late", "order is latent"),
        ("invoice", ""),
    ],
)
def test_what_is_not(pattern: str, line: str) -> None:
    assert not Pattern.parse(pattern).found_in(line)


@pytest.mark.parametrize("text", ["", "*", " * * ", "x" * 201])
def test_a_pattern_says_something_and_not_too_much(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Pattern.parse(text)


_LETTERS = st.text(alphabet="ab *", min_size=1, max_size=8)


@given(_LETTERS.filter(lambda text: text.strip(" *")), st.text(alphabet="ab .", max_size=20))
def test_it_finds_what_the_expression_would(text: str, line: str) -> None:
    folded = " ".join(text.split())
    inner = re.sub(r"\*+", "*", folded).strip("*")
    # Stars with nothing but space between them are one; the reference has no such rule.
    pieces = [each for each in folded.split("*") if each.strip()]
    expression = ".*".join(re.escape(each) for each in pieces)
    starts = r"(?<![^\W_])" if not folded.startswith("*") and pieces[0][0].isalnum() else ""
    ends = r"(?![^\W_])" if not folded.endswith("*") and pieces[-1][-1].isalnum() else ""
    found = re.search(starts + expression + ends, " ".join(line.split())) is not None

    assert Pattern.parse(text).found_in(line) is found, inner


@pytest.mark.parametrize("pattern", ["*" + "a*" * 99, "a" * 199 + "b", "*" + "a" * 100 + "*" + "a" * 90 + "b*"])
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.perf_counter()

    Pattern.parse(pattern).found_in("a" * 1_000_000)

    assert time.perf_counter() - began < 0.5
    assert LONGEST_LINE < 1_000_000
