"""What is looked for when an agent searches, and what is found of a text."""

from hypothesis import given
from hypothesis import strategies as st

from maild.message.search import (
    LONGEST_WORD,
    MOST_CHARS,
    MOST_QUERY_CHARS,
    MOST_TERMS,
    SNIPPET_CHARS,
    Indexed,
    Query,
    Term,
    query,
    snippet,
    words,
)

LETTER = """Good morning,

since the update of last night our printer on the third floor prints black pages, smells of smoke and shows

    E-4711: fuser temperature

The manual says nothing of it. We switched it off."""
SIGNS = st.text(st.characters() | st.sampled_from("\"'*():^<>&|!-+{}[]\\ \0«“”ß打が한\u0301"), max_size=200)


def test_words_are_found_whatever_their_case_and_accents() -> None:
    assert words("Die TÜR klemmt, Straße") == words("die tur klemmt strasse")
    assert words("ＡＢＣ １２") == ["abc", "12"]
    assert words("e\u0301te\u0301") == words("été") == ["ete"]
    assert words("שָׁלוֹם") == words("שלום")


def test_signs_part_words() -> None:
    assert words("E-4711: foo@bar.example") == ["e", "4711", "foo", "bar", "example"]


def test_scripts_without_spaces_are_signs_one_by_one() -> None:
    assert words("三楼的 printer") == ["三", "楼", "的", "printer"]
    assert words("ガ") != words("カ")
    assert words("프린터가") == ["프", "린", "터", "가"]


def test_marks_that_belong_to_letters_stay() -> None:
    assert words("हिन्दी") == ["हिन्दी"]


def test_a_query_has_words_phrases_beginnings_and_fields() -> None:
    found = query('printer "on fire" pap* from:ada subject:"No Paper" status:Open tag:#VIP')

    assert found == Query(
        (Term(("printer",)), Term(("on", "fire")), Term(("pap",), prefix=True), Term(("no", "paper"), subject=True)),
        senders=("ada",),
        statuses=("open",),
        tags=("vip",),
    )


def test_typographic_quotes_quote_too_and_an_open_one_ends_with_the_text() -> None:
    assert query("“on fire”").terms == query('"on fire').terms == (Term(("on", "fire")),)


def test_a_word_of_several_parts_is_a_phrase() -> None:
    assert query("E-4711").terms == (Term(("e", "4711")),)
    assert query("打印").terms == (Term(("打", "印")),)


def test_what_asks_for_nothing_is_a_query_for_nothing() -> None:
    for nothing in ("", " ", "* - ? ()", '""', 'subject:"" from:""'):
        assert not query(nothing)


def test_each_database_is_asked_in_its_own_language() -> None:
    asked = query('printer "on fi"* subject:"no pap"*')

    assert asked.fts5() == '"printer" AND "on fi"* AND subject : "no pap"*'
    assert asked.tsquery() == "('printer') & ('on' <-> 'fi':*) & ('no':A <-> 'pap':*A)"


def test_subject_and_text_are_apart_in_the_index() -> None:
    assert Indexed.of("Printer on fire", "it is on").tsvector() == "'printer':1A 'on':2A,15 'fire':3A 'it':13 'is':14"


@given(SIGNS)
def test_no_query_holds_more_than_words(text: str) -> None:
    found = query(text)

    assert len(found.terms) <= MOST_TERMS
    for term in found.terms:
        assert term.words
        assert all(each.isprintable() and not set(each) & set("\"'*():^<>&|!-+{}[]\\ \0") for each in term.words)


@given(st.integers(1, 5), SIGNS)
def test_what_is_indexed_is_bounded(times: int, text: str) -> None:
    endless = (text + "ﷺ打 a") * times * 20_000

    found = Indexed.of(endless, endless)
    assert len(found.tsvector().encode()) < 1 << 20
    parted = [*found.subject.split(), *found.text.split()]
    assert len(parted) < 16_000
    assert all(len(each) <= LONGEST_WORD for each in parted)
    assert found.text.split() == words(endless)


@given(SIGNS)
def test_every_word_of_a_text_is_found_in_it(text: str) -> None:
    assert words(" ".join(words(text))) == words(text)


@given(SIGNS, SIGNS)
def test_a_snippet_is_one_line_of_bounded_length(text: str, asked: str) -> None:
    found = snippet(text * 5, query(asked))

    assert len(found) <= SNIPPET_CHARS + 4
    assert "\n" not in found


def test_a_snippet_shows_the_place() -> None:
    assert "smells of smoke and" in snippet(LETTER, query("smoke"))
    assert snippet(LETTER, query("smoke")).startswith("… ")
    assert snippet(LETTER, query("temp*")).endswith("We switched it off.")
    assert "fuser" in snippet(LETTER, query("E-4711"))
    assert snippet(LETTER, query("subject:smoke")).startswith("Good morning, since")
    assert "冒烟" in snippet("三楼的打印机" * 50 + "冒烟", query("冒烟"))


def test_long_texts_and_queries_are_cut() -> None:
    assert len(words("a " * MOST_CHARS * 2)) <= MOST_CHARS
    assert query("x " * MOST_QUERY_CHARS).terms == (Term(("x",)),)
    assert len(query(" ".join(f"w{each}" for each in range(100))).terms) == MOST_TERMS
