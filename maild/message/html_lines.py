"""Lines of text as they are written from HTML: white space collapsed, empty lines set, quote depth kept."""

import re
from dataclasses import dataclass, field
from typing import Final

from maild.message.html_style import State

LISTS: Final = frozenset({"ul", "ol", "dir", "menu"})
_ODD_SPACES: Final = re.compile(r"[\t\r\n\f\u00a0\u2000-\u200a\u202f\u205f\u3000]")


def collapsed(text: str) -> str:
    """Return `text` with each run of white space as one space."""
    if not text.isascii() or not text.isprintable():
        text = _ODD_SPACES.sub(" ", text)
    while "  " in text:
        text = text.replace("  ", " ")
    return text


@dataclass
class Box:
    """What is being written: the body, or one cell of a table."""

    state: State
    lines: list[tuple[int, str]] = field(default_factory=list)  # quote depth, text
    line: list[str] = field(default_factory=list)  # the pieces of the line that is being written
    spaced: bool = True  # that line is empty or ends in white space
    kept_space: bool = False  # it holds nothing but a space that must not vanish: an empty line that was meant
    gap: int = 0  # empty lines wanted before the next line
    bullet: str = ""  # what the next line begins with
    tight: bool = False  # the last paragraph has no margins
    stack: list[tuple[str, State]] = field(default_factory=list)  # open elements, with the state outside them
    open: dict[str, int] = field(default_factory=dict)  # how often each name is in the stack
    counters: list[int] = field(default_factory=list)  # of the lists that are open; -1 for those without numbers

    def write(self, text: str) -> str:
        """Write `text`, white space collapsed; return what was written of it."""
        if self.state.pre:
            for index, line in enumerate(text.replace("\r\n", "\n").split("\n")):
                if index:
                    self.end_line(empty=True)
                self._put(line.replace("\u00a0", " "))
            return text
        written = collapsed(text)
        if self.spaced:
            written = written.lstrip(" ")
            self.kept_space = self.kept_space or (not written and not self.line and "\u00a0" in text)
        self._put(written)
        return written

    def _put(self, text: str) -> None:
        if not text:
            return
        if not self.line:
            if self.gap:
                self._blank()
            if self.bullet:
                self.line.append(self.bullet)
                self.bullet = ""
        self.kept_space = False
        self.line.append(text)
        self.spaced = text[-1] == " "

    def _blank(self) -> None:
        """Set an empty line, unless one stands there or nothing does."""
        self.gap = 0
        if self.lines and self.lines[-1][1]:
            self.lines.append((min(self.lines[-1][0], self.state.quotes), ""))

    def end_line(self, empty: bool = False) -> None:
        """End the line that is being written; with `empty` even if there is nothing on it."""
        if self.line:
            text = "".join(self.line)
            self.lines.append((self.state.quotes, (self.state.indent + text).rstrip() if text.strip() else ""))
            self.line = []
        elif self.kept_space or (empty and not self.gap):
            self.lines.append((self.state.quotes, ""))
        self.kept_space = False
        self.spaced = True

    def separate(self, gap: int) -> None:
        """End the line; `gap` empty lines shall stand before the next."""
        self.end_line()
        self.gap = max(self.gap, gap)

    def place(self, lines: list[tuple[int, str]]) -> None:
        """Set whole lines, which bring their own quote depth."""
        self.end_line()
        if self.gap:
            self._blank()
        self.lines.extend(lines)

    def enter(self, name: str, state: State) -> None:
        """Open an element."""
        self.stack.append((name, self.state))
        self.open[name] = self.open.get(name, 0) + 1
        self.state = state

    def leave(self, name: str) -> None:
        """Close what is open down to the innermost `name`."""
        while self.stack:
            popped, self.state = self.stack.pop()
            left = self.open[popped] - 1
            if left:
                self.open[popped] = left
            else:
                del self.open[popped]
            if popped in LISTS and self.counters:
                self.counters.pop()
            if popped == name:
                return

    def count_item(self) -> None:
        """Begin an item of the innermost list."""
        if self.counters and self.counters[-1] >= 0:
            self.bullet = f"{self.counters[-1]}. "
            self.counters[-1] += 1
        else:
            self.bullet = "- "

    def text(self) -> str:
        """Return what was written, no two empty lines in a row."""
        self.end_line()
        out: list[str] = []
        blank = True
        for depth, line in self.lines:
            if line or not blank:
                out.append(("> " * depth + line).rstrip())
            blank = not line
        while out and not out[-1].strip("> "):
            out.pop()
        return "\n".join(out) + "\n" if out else ""
