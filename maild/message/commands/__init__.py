"""What an agent tells maild by words: the block of `#word` lines on top of a mail.

    #assign anna                    block: two commands; the status word is always done last,
    #postpone tomorrow 9:00         whatever the order in which they stand

    We have ordered the part.       rest: the answer, untouched

`words` is the one table of all words, from which the help mail and the manual are made; `when` reads points in time;
`block` reads the block. All or nothing: a block with a fault has no commands, so that no typo changes a ticket and
none reaches a customer; each fault is a sentence for the agent, most with what he may have meant.

Only the form is judged here, and names against the lists that the caller hands in. Whether a ticket exists, or the
agent may do it, is for others to say.
"""

from maild.message.commands.block import Block, Command, block_lines, parse, parse_request
from maild.message.commands.faults import Fault, Says, fault
from maild.message.commands.markup import before, without_block
from maild.message.commands.values import Circumstances, Value
from maild.message.commands.when import UnclearTimeError, instant
from maild.message.commands.words import PRIORITIES, WORDS, Syntax, Word

__all__ = [
    "PRIORITIES",
    "WORDS",
    "Block",
    "Circumstances",
    "Command",
    "Fault",
    "Says",
    "Syntax",
    "UnclearTimeError",
    "Value",
    "Word",
    "before",
    "block_lines",
    "fault",
    "instant",
    "parse",
    "parse_request",
    "without_block",
]
