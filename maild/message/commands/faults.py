"""What may be wrong with an agent's words: the one table of sentences that he reads, and the fault that carries one.

A sentence is kept in English with `%(name)s` where something of his is put in, and is said in his language by the
templates: `templates.sentences` gathers the tables, and a test sees that no translation lacks one. What refuses an
event has its own table, `rules.refusals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MOST_SHOWN_CHARS = 120  # of what somebody wrote, in a sentence about it


class Says(StrEnum):
    """Every sentence; the value is the English one, by which the catalogues know it."""

    # The block
    UNKNOWN_WORD = "#%(word)s is no word that I know."
    UNKNOWN_HELP = '"%(text)s" is no word that I know.'
    TOO_MANY_WORDS = "There are more than %(most)s words in one mail."
    ONE_STATUS = "Only one of %(words)s can be done."
    SAID_OFTEN = "#%(word)s is said %(times)s times."
    NO_REQUEST = '"%(text)s" is no request that I understand.'
    NOT_AT_THE_DESK = "#%(word)s is said in an answer to a ticket's mail, not here."
    # Values
    TOO_LONG = "It is too long."
    TAKES_NOTHING = "It takes nothing behind it; put your answer on a line of its own."
    NEEDS_TIME = "It needs a time, like 3h, 2bd, tomorrow 9:00, friday or 2026-03-02 14:00."
    UNCLEAR_TIME = '"%(text)s" is no time that I understand; write 3h, 2bd, tomorrow 9:00, friday or 2026-03-02 14:00.'
    PAST_TIME = '"%(text)s" is over already.'
    FAR_TIME = '"%(text)s" is more than two years away.'
    NEEDS_AGENT = "It needs an agent."
    NO_AGENT = '"%(text)s" is not an agent.'
    NEEDS_DEPARTMENT = "It needs a department."
    NO_DEPARTMENT = '"%(text)s" is not a department.'
    NEEDS_PREPARED = "It needs the name of a prepared text."
    NO_PREPARED = '"%(text)s" is not a prepared text.'
    NO_PREPARED_AT_ALL = "There are no prepared texts yet: the operator puts them into the folder of templates."
    NO_PRIORITY = "It is one of low, normal, high, urgent."
    NEEDS_TAG = "It needs a tag."
    NO_TAG = '"%(text)s" is no tag; write one word of letters, digits and hyphens.'
    NEEDS_ADDRESS = "It needs an address."
    ONE_ADDRESS = "It needs one address."
    NO_ADDRESS = '"%(text)s" is no address.'
    NEEDS_TEXT = "It needs some words behind it."
    LONG_TEXT = "It takes %(most)s characters at most."
    NEEDS_TICKET = "It needs the number of a ticket."
    ONE_TICKET = "It needs one ticket."
    NO_TICKET = '"%(text)s" is no ticket; write its number, like 1042.'
    # The mail
    NOT_AVAILABLE = "#%(word)s is not available yet."
    NOT_PROVEN = "#%(word)s needs a proof that the mail is yours: your domain must sign it (DKIM, DMARC)."
    NO_ANSWER_ALONG = "#%(word)s takes no answer along; leave the text out, or write #note above it."
    THIS_VERY_TICKET = "#%(word)s is about this very ticket; leave the number out."
    NO_AUTHOR = (
        "I cannot tell with certainty who wrote the mail that you pass on. Pass it on as an attachment, or write "
        "#requester with his address above it."
    )
    PASSED_BY_US = "%(address)s, who wrote the mail that you pass on, is one of us; write #requester above it."
    ONLY_NEW = "#for begins a mail to the address of a department, and goes to a customer; here is a ticket already."
    NEEDS_ANSWER = "#for needs a text below it: that is what the customer gets."
    ONLY_BEGINS = "#%(word)s is about a ticket that is there already, and this mail begins one."
    NOTHING_LEAVES = "#send is about an answer, and there is none."
    ASKED_ALONE = "#%(word)s is asked alone: without an answer, and without other words."
    NOTHING_TO_DO = "There is nothing in it to send or to do."
    NO_TEXT = "The mail has no text of yours."
    IS_AGENT = "%(address)s is an agent; #assign gives him the ticket."
    IS_OURS = "%(address)s is our own address."
    BETRAYS = (
        "Your answer quotes lines of our mail to you, with addresses that are yours alone. "
        "Delete those lines, and send it again."
    )
    BETRAYING_FILE = (
        "%(name)s holds a mail of ours to you, with addresses that are yours alone. Leave it out, and send it again."
    )
    # The desk
    NO_PERIOD = '"%(text)s" is no period; write one of %(known)s.'
    NO_STATUS = '"%(text)s" is no status; it is one of %(known)s.'
    NOT_YOURS_TO_SEE = "There is no ticket #%(number)s that you may see."
    WHICH_TICKET = "Which ticket? Write: %(word)s 1042"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line, as a sentence for its writer, and the line that he may have meant, "" if unknown."""

    text: str  # English, with `%(name)s` for each of `values`
    suggestion: str = ""
    line: str = field(default="", compare=False)  # as it was written
    values: tuple[tuple[str, str], ...] = ()

    @property
    def said(self) -> str:
        """The sentence in English, for the record."""
        return self.text % dict(self.values) if self.values else self.text


def fault(sentence: Says, suggestion: str = "", line: str = "", values: Mapping[str, object] | None = None) -> Fault:
    """Return the fault that `sentence` tells of `values`, each cut to what may be shown."""
    told = tuple((name, str(value)[:MOST_SHOWN_CHARS]) for name, value in (values or {}).items())
    return Fault(sentence.value, suggestion, line, told)
