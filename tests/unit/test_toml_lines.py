"""Lines of keys in TOML."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maild.config.toml_lines import Path, line_of, locate

EVERYTHING = '''
# a comment with a key = "value"
top = 1
dotted.key = 2
"quoted key" = "a # no comment"
"esc\\u0061ped" = 1
'literal "key"' = 'C:\\' # a comment

[table]
text = """
not = "a key"
[nor a table]
\\""" still inside """
raw = \'\'\'
x = 1\'\'\'
after = 3
array = [
  1, # one
  "]",
  [ 2, 3 ],
]
inline = { a = 1, b = { c = [ { d = 2 } ] } }
date = 2026-12-24T10:00:00Z

[table.sub."dotted.name"]
x = 1

[[people]]
name = "a"
  [people.home]
  town = "b"
  [[people.mails]]
  at = 1
  [[people.mails]]
  at = 2
[[people]]
name = "c"
'''


def paths(value: Any, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found |= paths(inner, (*path, key))
    return found


def test_every_key_table_and_value_of_a_list_has_a_line() -> None:
    lines = locate(EVERYTHING)
    missing = {path for path in paths(tomllib.loads(EVERYTHING)) if path not in lines and line_of(lines, path) is None}

    assert missing <= {("table", "sub")}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 3),
        (("dotted", "key"), 4),
        (("quoted key",), 5),
        (("escaped",), 6),
        (('literal "key"',), 7),
        (("table",), 9),
        (("table", "text"), 10),
        (("table", "after"), 16),
        (("table", "array", 0), 18),
        (("table", "array", 2, 1), 20),
        (("table", "inline", "b", "c", 0, "d"), 22),
        (("table", "sub", "dotted.name", "x"), 26),
        (("people", 0, "name"), 29),
        (("people", 0, "home", "town"), 31),
        (("people", 0, "mails", 1, "at"), 35),
        (("people", 1, "name"), 37),
    ],
)
def test_a_key_is_found_on_its_line(path: Path, line: int) -> None:
    assert locate(EVERYTHING)[path] == line
    assert locate(EVERYTHING.replace("\n", "\r\n"))[path] == line


def test_what_is_missing_is_shown_at_the_table_around_it() -> None:
    lines = locate(EVERYTHING)

    assert line_of(lines, ("people", 1, "address")) == 36
    assert line_of(lines, ("nowhere",)) is None


keys = st.text(min_size=1, max_size=6)
values: Any = st.recursive(
    st.one_of(st.integers(0, 9), st.booleans(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[\n" + "".join(f"  {written(each)}, # a = 1\n" for each in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {written(inner)}" for key, inner in value.items()) + " }"
    return str(value)


@given(st.dictionaries(keys, values, max_size=4))
def test_every_path_of_any_document_has_the_line_of_its_key(document: dict[str, Any]) -> None:
    text, lines = "", {}
    for key, value in document.items():
        lines[key] = text.count("\n") + 1
        text += f"{quoted(key)} = {written(value)}\n"
    parsed = tomllib.loads(text)

    found = locate(text)
    assert parsed == document
    assert paths(parsed) <= set(found)
    assert {key: found[key,] for key in document} == lines


@given(st.text(alphabet="[]{}=.,'\"#\\\n a1", max_size=60))
def test_what_is_no_toml_is_walked_to_its_end(text: str) -> None:
    locate(text)


def test_a_long_document_is_walked_in_linear_time() -> None:
    text = "[[department]]\nname = [1, 2]\n" * 50_000

    assert locate(text)["department", 49_999, "name", 1] == 100_000
