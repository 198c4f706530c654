"""A mark is read wherever one click puts it, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.message.rating import MARKS, read


@pytest.mark.parametrize(
    ("subject", "text", "rating", "words"),
    [
        ("3/3 – Good", "3/3", 3, ""),
        ("Re: 1/3 – Schlecht", "", 1, ""),
        ("2 / 3", "2 / 3\n", 2, ""),
        ("", "3/3\n\nThank you!", 3, "Thank you!"),
        ("Re: Printer", "1/3.\nToo slow", 1, "Too slow"),
        ("13/3", "", None, ""),
        ("3/30", "", None, ""),
        ("1/3/2026", "", None, ""),
        ("4/3", "", None, ""),
        ("Printer", "1/3 of the pages is black", None, "1/3 of the pages is black"),
    ],
)
def test_marks(subject: str, text: str, rating: int | None, words: str) -> None:
    assert read(subject, text) == (rating, words)


@given(st.sampled_from(list(MARKS.items())), st.text(max_size=200))
def test_the_mark_of_the_subject_counts_whatever_he_writes(mark: tuple[int, str], text: str) -> None:
    assert read(f"{mark[1]} – Gut", text)[0] == mark[0]


@given(st.text(), st.text())
def test_any_text_is_read(subject: str, text: str) -> None:
    assert read(subject, text)[0] in (None, 1, 2, 3)
