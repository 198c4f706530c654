"""What each letter's template is told: from tickets and mails to the plain values of `templates.mails`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from maild.config.desks import Department
from maild.message import commands, filename, rating
from maild.message.address import Address, normalise, valid
from maild.message.subject import base_subject
from maild.message.tokens import Role
from maild.outbox.facts import OLDER, OLDER_CHARACTERS, Facts, newest
from maild.outbox.letters import Asked, Collision, Done, FiledMail, Letter, Thread, Undelivered
from maild.rules.state import Tell
from maild.store.conversations import Said
from maild.store.models import Direction
from maild.templates import mails, pieces
from maild.templates.mails import Mail
from maild.templates.pieces import DueTicket, Failure, Fault, Listed, Who


class Release(Protocol):
    """Returns the address by which the recipient of a letter releases a held mail, or rejects it."""

    def __call__(self, letter: Letter, mail_id: int, *, reject: bool = False) -> str:
        """Return it."""


@dataclass(frozen=True, slots=True)
class Words:
    """Builds the values of templates."""

    facts: Facts
    release: Release
    undo: Callable[[Letter, int], str]  # the word by which the recipient of a letter takes back what a mail did

    def of(self, letter: Letter, said: Sequence[Said], reference: str, now: datetime) -> Mail:
        """Return what the template of `letter` is told; `said` are the ticket's latest mails, newest first."""
        said = [each for each in said if not _left_as_answer(each, said)]
        common = {
            "department": letter.department.title,
            "subject": _subject(letter),
            "reference": reference,
        }
        match letter.post.tell:
            case Tell.ANSWER:
                return self._answer(letter, common)
            case Tell.NOTIFICATION:
                return self._notification(letter, said, common, now)
            case Tell.WAITING | Tell.BREACHED:
                return self._waiting(letter, said, common, now)
            case Tell.ESCALATED:
                return self._escalated(letter, said, common, now)
            case Tell.RATED:
                return self._rated(letter, said, common, now)
            case Tell.UNDELIVERED:
                return self._undelivered(letter, said, common, now)
            case Tell.HANDED_OVER:
                return self._handed_over(letter, said, common, now)
            case Tell.SHOWN:
                return self._shown(letter, said, common, now)
            case Tell.COLLISION:
                return self._collision(letter, said, common, now)
            case Tell.TRANSCRIPT:
                return self._transcript(letter, said, common, now)
            case Tell.RETURNED:
                return self._returned(letter, common)
            case Tell.ACKNOWLEDGEMENT | Tell.REMINDER | Tell.RESOLVED | Tell.FOLLOW_UP | Tell.RATING:
                return self._to_customer(letter, common)

    def _to_customer(self, letter: Letter, common: dict[str, Any]) -> Mail:
        person, state = letter.to[0], letter.post.state
        values: dict[str, Any] = {**common, "zone": letter.department.timezone, "name": person.name}
        if letter.post.tell is Tell.ACKNOWLEDGEMENT:
            return mails.Acknowledgement(**values, proven=letter.proven, promised_at=self.facts.promised_at(letter))
        if letter.post.tell is Tell.FOLLOW_UP:
            return mails.FollowUp(**values, promised_at=self.facts.promised_at(letter))
        if letter.post.tell is Tell.RATING:
            return mails.Rating(**values, rate=self.facts.sign(letter, Role.RATE, person))
        values["solved"] = self.facts.sign(letter, Role.SOLVED, person)
        values["problem"] = self.facts.sign(letter, Role.PROBLEM, person)
        if letter.post.tell is Tell.RESOLVED:
            return mails.Resolved(**values, by_silence=letter.post.cause == "Tick")
        return mails.Reminder(**values, answered_at=state.answered_at or state.since, resolves_at=state.due_at)

    def _answer(self, letter: Letter, common: dict[str, Any]) -> Mail:
        about = letter.post.about
        if not isinstance(about, FiledMail):
            raise TypeError("an answer needs the agent's mail")
        before, said = letter.post.before, about.signed or about.reply
        return mails.Answer(
            **common,
            zone=letter.department.timezone,
            text=said.text,
            html=said.html,
            first=before.waiting_since is None and before.answered_at is None and not letter.references,
        )

    def _notification(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about, post = letter.post.about, letter.post
        if not isinstance(about, FiledMail):
            raise TypeError("a notification needs the mail that it is about")
        brought_by = self.facts.settings.agent_of(about.brought_by) if about.brought_by else None
        return mails.Notification(
            **common,
            **self.facts.of(letter, said, now),
            author=_who(about.author),
            role=_role(about, post.thread),
            # Who passed it on vouches for it; who wrote it cannot be proven by his mail.
            proof="proven" if about.brought_by and not about.split_from else _PROOFS.get(about.trust, "unproven"),
            at=about.message.date or now,
            text=about.reply.text,
            html=about.reply.html,
            attachments=_listed(about),
            opened=post.before.waiting_since is None and post.before.answered_at is None,
            follows_id=post.thread.follows_id,
            related=about.related,
            brought_by=brought_by.name if brought_by else "",
            noted=about.noted,
            split_from=about.split_from,
            admits=_admitted(about),
        )

    def _waiting(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        state, (text, older) = letter.post.state, newest(said)
        facts = self.facts.of(letter, older, now)
        if letter.post.tell is Tell.WAITING:
            since, had = state.waiting_since or state.since, letter.post.before.assignee
            left_by = self.facts.settings.agent_of(had) if had and state.assignee is None else None
            name = left_by.name if left_by else ""
            return mails.Waiting(**common, **facts, waiting_since=since, now=now, text=text, left_by=name)
        facts["promises"] = tuple(sorted(facts["promises"], key=lambda each: not each.late))  # the news is what is late
        return mails.Breached(**common, **facts, waiting_since=state.waiting_since, now=now, text=text)

    def _rated(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about = letter.post.about
        if not isinstance(about, FiledMail):
            raise TypeError("a rating needs the mail that says it")
        words = rating.read(about.message.subject, about.reply.text)[1]
        return mails.Rated(**common, **self.facts.of(letter, said, now), author=_who(about.author), text=words)

    def due(self, letters: Sequence[Letter], department: Department, now: datetime) -> mails.Due:
        """Return what the mail is told that says of several tickets that they wait for one agent."""
        return mails.Due(
            department=department.title,
            subject="",
            zone=self.facts.zone(letters[0].agent),
            desk=self.facts.sign(replace(letters[0], department=department), Role.DESK, letters[0].to[0]),
            now=now,
            tickets=tuple(self._due_ticket(letter, now) for letter in letters),
        )

    def _due_ticket(self, letter: Letter, now: datetime) -> DueTicket:
        thread, state, person = letter.post.thread, letter.post.state, letter.to[0]
        assignee = self.facts.settings.agent_of(state.assignee) if state.assignee else None
        return DueTicket(
            thread.ticket_id,
            base_subject(thread.subject),
            state.status.value,
            Who(thread.requester.name, thread.requester.address),
            state.waiting_since,
            tuple(self.facts.promises(letter, now)),
            assignee.name if assignee else "",
            self.facts.sign(letter, Role.AGENT, person),
            tuple(self.facts.actions(letter, self.facts.sign(letter, Role.NOTE, person))),
        )

    def _escalated(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        before, state, mine = letter.post.before, letter.post.state, letter.agent
        new = state.assignee is not None and (before.assignee, before.department) != (state.assignee, state.department)
        text, older = newest(said)
        return mails.Escalated(
            **common,
            **self.facts.of(letter, older, now),
            rules=tuple(sorted(state.escalated - before.escalated)),
            waiting_since=state.waiting_since or state.since,
            now=now,
            yours=new and mine is not None and normalise(mine.address) == state.assignee,
            text=text,
        )

    def _handed_over(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about, mine = letter.post.about, letter.agent
        by = self.facts.settings.agent_of(about.author.address) if isinstance(about, FiledMail) else None
        assignee = letter.post.state.assignee or ""
        text, older = newest(said)
        wrote = about.reply.text if isinstance(about, FiledMail) and by else ""
        note = isinstance(about, FiledMail) and about.note
        return mails.HandedOver(
            **common,
            **self.facts.of(letter, older, now),
            by=by.name if by else "",
            noted=wrote if note else "",
            answered="" if note else wrote,
            yours=mine is not None and normalise(mine.address) == normalise(assignee),
            text=text,
        )

    def _shown(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about = letter.post.about
        if not isinstance(about, Asked):
            raise TypeError("nobody asked for the ticket")
        return mails.Shown(
            **common,
            **self.facts.of(letter, said, now),
            why=tuple(self._recounted(each, letter.post.thread) for each in about.why),
            until=about.until,
            attached=len(about.thread),
            left_out=about.left_out if about.thread else 0,
        )

    def _collision(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about = letter.post.about
        if not isinstance(about, Collision):
            raise TypeError("a collision needs the answer that waits")
        missed = about.missed[-OLDER:]
        told = {each.mail_id for each in missed}
        return mails.Collision(
            **common,
            **self.facts.of(letter, [each for each in said if each.id not in told], now),
            missed=tuple(
                pieces.Said(Who(each.name, each.address), each.at, each.text[:OLDER_CHARACTERS]) for each in missed
            ),
            text="\n\n".join(part for part in (about.block, about.text) if part),
            release=self.release(letter, about.mail_id),
            reject=self.release(letter, about.mail_id, reject=True),
        )

    def _transcript(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about = letter.post.about
        if not isinstance(about, Done):
            raise TypeError("a transcript needs what was done")
        return mails.Transcript(
            **common,
            **self.facts.of(letter, said, now),
            deeds=tuple(map(self._named, about.deeds)),
            taken_back=about.taken_back,
            by=about.by,
            undo=self.undo(letter, about.mail_id) if about.undo_until else "",
            until=about.undo_until,
            leaves_at=about.leaves_at,
            text=about.text,
        )

    def _named(self, deed: pieces.Deed) -> pieces.Deed:
        """Return a deed with agents and departments as they are called; a customer is told by his address."""
        if deed.name in ("assignee", "offered_to"):
            found = [self.facts.settings.agent_of(each) for each in (deed.old, deed.new)]
            old, new = (each.name if each else "" for each in found)
            return replace(deed, old=old, new=new)
        if deed.name == "department":
            departments = [self.facts.settings.department(each) for each in (deed.old, deed.new)]
            old, new = (each.title if each else "" for each in departments)
            return replace(deed, old=old, new=new)
        return deed

    def _recounted(self, change: pieces.Change, thread: Thread) -> pieces.Change:
        """Return a line of the history with everybody as people call him."""
        agent = self.facts.settings.agent_of(change.who) if change.who else None
        who = agent.name if agent else _names(thread).get(change.who) or change.who
        return replace(change, who=who, deeds=tuple(map(self._named, change.deeds)))

    def _undelivered(self, letter: Letter, said: Sequence[Said], common: dict[str, Any], now: datetime) -> Mail:
        about = letter.post.about
        if not isinstance(about, Undelivered):
            raise TypeError("a failure needs the answer that did not arrive")
        said = [replace(each, text=None) if each.text == about.text else each for each in said]
        return mails.Undelivered(
            **common,
            **self.facts.of(letter, said, now),
            failures=(Failure(about.recipient, about.said),),
            sent_at=about.sent_at,
            text=about.text,
            reminder=about.purpose == Tell.REMINDER,
        )

    def _returned(self, letter: Letter, common: dict[str, Any]) -> Mail:
        about = letter.post.about
        text = about.written if isinstance(about, FiledMail) else ""
        line = next(iter(text.splitlines()), "")[:80]
        faults = tuple(told(each, line) for each in letter.post.faults)
        return mails.Returned(
            **common,
            zone=self.facts.zone(letter.agent),
            ticket_id=letter.post.thread.ticket_id,
            faults=faults,
            text=text,
        )


def told(fault: commands.Fault, line: str) -> Fault:
    """Return `fault` as templates are told it; `line` is what it is about if it does not say so itself."""
    why = fault.text if fault.values else fault.text.replace("%", "%%")  # templates put values in, if there are any
    return Fault(fault.line or line, why, fault.suggestion, dict(fault.values))


_ODD: Final = re.compile(r"[^\w.+=&'@-]")  # in an address: nothing that a line of words could be read otherwise by
_PROOFS: Final[dict[str, pieces.Proof]] = {"pass": "proven", "fail": "failed"}


def _subject(letter: Letter) -> str:
    """Return what the mail is about: customers see the subject of their own mail, agents that of the ticket."""
    about = letter.post.about
    if letter.agent is None and isinstance(about, FiledMail) and letter.post.tell is not Tell.ANSWER:
        return base_subject(about.message.subject)
    return base_subject(letter.post.thread.subject)


def _left_as_answer(mail: Said, said: Sequence[Said]) -> bool:
    """Return whether an agent began the ticket with this mail (`#for`): what left of it is among `said`, too."""
    left = (each.text for each in said if each.direction is Direction.OUT and each.purpose == Tell.ANSWER)
    return mail.direction is Direction.IN and mail.purpose == "open" and mail.text in left


def _who(address: Address) -> Who:
    return Who(address.name, address.address)


def _names(thread: Thread) -> dict[str, str]:
    """Return how those who take part call themselves, by their normalised addresses."""
    return {each.normal: each.name for each in (thread.requester, *thread.participants)}


def _admitted(about: FiledMail) -> str:
    """Return the address of a third party whom a word can let in, "" if it is nobody's or cannot be written there."""
    address = about.author.address
    fits = about.third_party and about.trust != "fail" and valid(address) and not _ODD.search(address)
    return address if fits else ""


def _role(about: FiledMail, thread: Thread) -> pieces.Role:
    if about.third_party:
        return "third-party"
    return "customer" if normalise(about.author.address) == thread.requester.normal else "participant"


def _listed(about: FiledMail) -> tuple[Listed, ...]:
    return tuple(
        Listed(each.name or filename.by_type(each.content_type), each.size_bytes) for each in about.message.attachments
    )
