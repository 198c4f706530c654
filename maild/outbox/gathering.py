"""What many tickets want of one agent at the same instant is one mail to him, a line for each; not a mail for each.

Time makes it: at the opening of the desk all is due that came due over night, and after a stop all that was missed.
What somebody did to a ticket is told at once and by itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from maild.config import Settings
from maild.message.tokens import Keys
from maild.outbox.letters import Letter
from maild.outbox.ticketless import draft, write
from maild.outbox.words import Words
from maild.rules.state import Tell
from maild.templates import Templates, mails

_BY_TIME: Final = frozenset({Tell.WAITING, Tell.BREACHED})


def part(letters: Sequence[Letter]) -> tuple[list[Letter], list[list[Letter]]]:
    """Return the letters that are mails of their own, and those that are told together, by agent."""
    groups: defaultdict[int, list[Letter]] = defaultdict(list)
    for letter in letters:
        if letter.agent and letter.post.tell in _BY_TIME and letter.post.cause == "Tick":
            groups[letter.to[0].address_id].append(letter)
    gathered = [each for each in groups.values() if len(each) > 1]
    together = {id(letter) for each in gathered for letter in each}
    return [letter for letter in letters if id(letter) not in together], gathered


class Gathering:
    """Writes such mails."""

    def __init__(self, settings: Settings, templates: Templates, keys: Keys, words: Words) -> None:
        self._settings = settings
        self._templates = templates
        self._keys = keys
        self._words = words

    def write(self, connection: Connection, letters: Sequence[Letter], now: datetime) -> None:
        """Write one mail for `letters`, all of which are for the same agent."""
        agent, person = letters[0].agent, letters[0].to[0]
        if agent is None:
            raise TypeError("customers get mails of their own")
        department = self._settings.department(agent.departments[0]) or letters[0].department
        words = self._words.due(sorted(letters, key=_urgency), department, now)
        rendered = self._templates.render(words, letters[0].language)
        mail = draft(self._keys, department, person, rendered, now)
        write(connection, mail, person, mails.Purpose.DUE.value, reply_to=words.desk)


def _urgency(letter: Letter) -> tuple[bool, datetime, int]:
    target_at = letter.post.state.target_at
    return target_at is None, target_at or letter.post.state.since, letter.post.thread.ticket_id
