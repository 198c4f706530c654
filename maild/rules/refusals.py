"""Why an event is refused: the one table of sentences, in English, said in the agent's language by the templates."""

from enum import StrEnum


class No(StrEnum):
    """Every sentence; `%(status)s` is the ticket's, which the templates name in the reader's language."""

    CHANGE = "A ticket that is %(status)s cannot be changed."
    ANSWER = "A ticket that is %(status)s cannot be answered."
    ANSWER_CLOSED = "This ticket is closed. With #open on top your answer opens it again, and leaves."
    NOTE = "No note can be added to a ticket that is %(status)s."
    RESOLVE = "A ticket that is %(status)s cannot be resolved."
    CLOSE = "A ticket that is %(status)s cannot be closed."
    REOPEN = "A ticket that is %(status)s cannot be opened again."
    POSTPONE = "A ticket that is %(status)s cannot be postponed."
    SPAM = "A ticket that is %(status)s cannot be marked as spam."
    NOT_SPAM = "A ticket that is %(status)s cannot be taken out of spam."
    DELETE = "A ticket that is %(status)s cannot be deleted."
    UNDELETE = "A ticket that is %(status)s cannot be taken out of the bin."
    MERGE = "A ticket that is %(status)s cannot be merged."
    ASSIGN = "A ticket that is %(status)s cannot be assigned."
    OFFER = "A ticket that is %(status)s cannot be offered."
    PRIORITY = "The priority of a ticket that is %(status)s cannot be set."
    RENAME = "A ticket that is %(status)s cannot be renamed."
    MOVE = "A ticket that is %(status)s cannot be moved."
    TAG = "A ticket that is %(status)s cannot be tagged."
    LINK = "A ticket that is %(status)s cannot be linked."
    MERGED = "This ticket was merged into #%(number)s; write to that one."
    PAST = "A ticket cannot be postponed to an instant that is past."
    NO_PARTICIPANT = "%(address)s does not take part in this ticket."
    NO_SUCH_TICKET = "There is no ticket #%(number)s."
    INTO_ITSELF = "A ticket cannot be merged into itself."
    TO_ITSELF = "A ticket cannot be linked to itself."
    INTO_DEAD = "Nothing can be merged into a ticket that is %(status)s."
    CHANGED_SINCE = "Something else has changed since, and builds on it."
    NOTHING_TO_UNDO = "There is nothing of the last 30 minutes to take back."
    NOTHING_TO_SPLIT = "Reply to the mail that told you of what the customer wrote; that becomes a ticket of its own."
    FIRST_MAIL = "It is the first mail of this ticket, and there would be nothing left."
    NOTHING_WAITS = "There is no answer that has not left yet."
    TOO_LATE = "It is more than 30 minutes ago, and cannot be taken back any more."
    UNDONE = "It was taken back already."
    SOMEBODY_WROTE = "%(address)s has written since."
    HAS_LEFT = "A mail about it has left for %(address)s."
    NO_WAY_BACK = "That an address is somebody's cannot be taken back."
    NOT_YOURS = "Only who did it, or a colleague of the department, can take it back."
    NOT_GENUINE = "The link was cut off or changed; write #undo alone."


class Refused(Exception):  # noqa: N818 - a rule says no; nothing went wrong
    """The event makes no sense for this ticket; the text is a sentence for whoever asked."""

    def __init__(self, sentence: str, **values: object) -> None:
        """Say `sentence`: one of `No` with its values, or, to an operator, any."""
        self.sentence = str(sentence)
        self.values = {name: str(value) for name, value in values.items()}
        super().__init__(self.sentence % self.values if values else self.sentence)
