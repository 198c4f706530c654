"""The sentences that reach agents as values and not by a template: what is wrong with their words, what they may say,
why a ticket is theirs, why a mail did not leave.

Here they are only gathered, so that translations are known to be whole; `message.commands.faults` and `rules.refusals`
are the tables.
"""

from typing import Final

from maild.message.commands import WORDS, Says
from maild.rules.assignment import Because
from maild.rules.limits import Limit
from maild.rules.refusals import No

#: Every one, in English.
SENTENCES: Final = frozenset(
    [*map(str, Says), *map(str, No), *map(str, Because), *map(str, Limit), *(word.help for word in WORDS.values())]
)
