"""On which line of a TOML text each key stands, which `tomllib` does not tell.

`locate` is for text that `tomllib` has accepted; of anything else it finds what it can, and never fails. Paths are
written as pydantic writes them: keys are strings, the tables of an array and the values of a list count from 0.

It knows just enough of TOML 1.0 to walk over values: strings, arrays, inline tables, comments.
"""

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'', re.ASCII)
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each key, table and value of a list in `text`."""
    return _Walk(text).document()


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """Return the line of `path`, or of the nearest table around it; None if there is none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _plain(key: re.Match[str]) -> str:
    """Return a key without its quotes."""
    if key[2] is not None:
        return key[2]
    if key[1] is None:
        return key[0]
    try:
        return next(iter(tomllib.loads(f"{key[0]} = 0")))  # knows the escapes
    except tomllib.TOMLDecodeError:
        return key[1]


class _Walk:
    """One walk over a text, from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}  # the tables of an array seen so far
        self._counted_at, self._counted = 0, 1

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip(_BLANK) < len(self.text):
            before = self.at
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self._next_table(self._key())
            elif self.text.startswith("[", self.at):
                self.at += 1
                table = self._inside(self._key())
                self._note(table)
            else:
                self._pair(table)
                continue
            self._skip_line()
            if self.at == before:  # not TOML
                break
        return self.lines

    def _pair(self, table: Path) -> None:
        """Walk over `key = value`."""
        began = self.at
        path = table
        for part in self._key():
            path += (part,)
            self._note(path)
        if self.text.startswith("=", self.at):
            self.at += 1
            self._skip(_SPACE)
            self._value(path)
        if self.at == began:  # not TOML
            self.at += 1

    def _value(self, path: Path) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening in ("[", "{"):
            self.at += 1
            index = 0
            while self._skip(_BLANK) < len(self.text) and self.text[self.at] not in "]}":
                before = self.at
                if opening == "{":
                    self._pair(path)
                else:
                    self._note((*path, index))
                    self._value((*path, index))
                    index += 1
                self._skip(_BLANK)
                if self.text.startswith(",", self.at):
                    self.at += 1
                if self.at == before:  # not TOML
                    return
            self.at += 1
        elif string := _STRING.match(self.text, self.at):
            self.at = string.end()
        else:
            self._skip(_SCALAR)

    def _key(self) -> list[str]:
        """Walk over a key, dotted or not, and the blanks behind it; return its parts."""
        parts = []
        self._skip(_SPACE)
        while found := _KEY.match(self.text, self.at):
            self.at = found.end()
            parts.append(_plain(found))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
            self._skip(_SPACE)
        return parts

    def _inside(self, parts: list[str]) -> Path:
        """Return the path of a table, with the present index behind each array of tables on the way."""
        path: Path = ()
        for part in parts:
            path += (part,)
            if path in self.arrays:
                path += (self.arrays[path],)
        return path

    def _next_table(self, parts: list[str]) -> Path:
        path = (*self._inside(parts[:-1]), *parts[-1:])
        self.arrays[path] = self.arrays.get(path, -1) + 1
        self._note(path)
        self._note((*path, self.arrays[path]))
        return (*path, self.arrays[path])

    def _note(self, path: Path) -> None:
        self._counted += self.text.count("\n", self._counted_at, self.at)  # from there on, for linear time
        self._counted_at = self.at
        self.lines.setdefault(path, self._counted)

    def _skip(self, blank: re.Pattern[str]) -> int:
        found = blank.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return self.at

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1
