"""From posts to rows: letters are addressed, permitted, worded, composed and written."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from maild import people
from maild.config import Settings
from maild.config.desks import Agent, Department
from maild.message.address import Address, normalise, valid
from maild.message.compose import Automatic, Draft, Extra, compose
from maild.message.tokens import Keys, Role, Token, Undo, message_id, release_address, reply_address, sign, undo_token
from maild.outbox import gathering, rows
from maild.outbox.counts import Counts
from maild.outbox.facts import Facts
from maild.outbox.gathering import Gathering
from maild.outbox.letters import (
    Asked,
    Collision,
    Done,
    FiledMail,
    Letter,
    Post,
    Withheld,
)
from maild.outbox.made import Letters
from maild.outbox.purposes import TO_AGENTS
from maild.outbox.sharing import Sharing
from maild.outbox.words import Words
from maild.people import Person
from maild.rules.limits import Limit, Refusal
from maild.rules.state import Tell
from maild.store import agents, conversations
from maild.templates import Templates

AGENTS_THREAD: Final = "agents"  # nonce of the id that all mails of a ticket to agents refer to; no mail bears it
REFERENCES_KEPT: Final = 30
WAITING_BYTES: Final = 4 << 20  # of mails that are composed and not written yet; reached by the last one
_OF_CUSTOMERS: Final = frozenset({Tell.NOTIFICATION, Tell.WAITING, Tell.BREACHED})  # they wait for no absent agent
_REPLIES: Final = frozenset({Tell.ACKNOWLEDGEMENT, Tell.FOLLOW_UP, Tell.RETURNED})


class Outbox:
    """Writes mails into the database, to be sent."""

    def __init__(
        self,
        settings: Settings,
        templates: Templates,
        keys: Keys,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._settings = settings
        self._templates = templates
        self._keys = keys
        self._nonce = nonce
        self._words = Words(Facts(settings, self._signed), self._release, self._undo)
        self._gathering = Gathering(settings, templates, keys, self._words)

    def post(
        self, connection: Connection, posts: Sequence[Post], now: datetime, made: Letters | None = None
    ) -> list[Withheld]:
        """Write the mails of `posts`, in order; return those that may not be sent.

        On return each mail is as durable as the transaction of `connection`. What is among `made` is not made anew.
        """
        letters = self._addressed(connection, posts, now)
        if not letters:
            return []
        self._enrol_agents(letters, people.enrol(connection, _agents(letters), now))
        kept, withheld = self._permitted(connection, letters, now)
        alone, together = gathering.part(kept)
        self._write(connection, alone, now, made or Letters())
        for each in together:
            self._gathering.write(connection, each, now)
        return withheld

    def prepare(self, connection: Connection, posts: Sequence[Post], now: datetime) -> Letters:
        """Return the mails of `posts` as they will be if nothing comes between; nothing is written.

        Those about tickets that are about to be opened have the numbers that are reserved for them.
        """
        made = Letters(now)
        letters = self._addressed(connection, [each for each in posts if each.thread.ticket_id], now)
        known = people.known(connection, (each.address for each in _agents(letters)))
        if any(normalise(each.address) not in known for each in _agents(letters)):
            return made  # an agent is written to for the first time
        self._enrol_agents(letters, known)
        sharing = Sharing(self._templates)
        kept = self._permitted(connection, letters, now)[0] if letters else []
        self._remind(connection, kept)
        for letter in kept:
            self._make(letter, now, sharing)
            letter.ready = rows.ready(connection.dialect, letter, now)
            if not made.keep(letter):
                break
        return made

    def _addressed(self, connection: Connection, posts: Sequence[Post], now: datetime) -> list[Letter]:
        absent = self._absent(connection, now) if posts else frozenset()
        return [letter for post in posts for letter in self._letters(post, absent)]

    def _permitted(
        self, connection: Connection, letters: Sequence[Letter], now: datetime
    ) -> tuple[list[Letter], list[Withheld]]:
        """Return the letters that may be sent, and those that may not."""
        counts = Counts(connection, letters, now)
        kept: list[Letter] = []
        withheld: list[Withheld] = []
        for letter in letters:
            refusal = self._unreachable(letter) or counts.refuses(letter, now)
            if refusal is None:
                kept.append(letter)
                continue
            post, silence = letter.post, refusal.silence_until
            withheld.append(
                Withheld(
                    post.thread,
                    post.tell,
                    letter.to[0].address,
                    refusal.reason,
                    post.cause,
                    post.about,
                    silence,
                    post.thread.silenced_until,
                )
            )
            if silence is not None:
                post.thread.silenced_until = silence
        return kept, withheld

    def _unreachable(self, letter: Letter) -> Refusal | None:
        """Return why nobody would read `letter`, None if its recipient has an address that can be written to."""
        recipient = letter.to[0].address
        if not valid(recipient):
            return Refusal(Limit.NO_ADDRESS.value)
        if self._settings.department_of(recipient) is not None:  # somebody writes in our own name
            return Refusal(Limit.OURSELVES.value)
        return None

    def _absent(self, connection: Connection, now: datetime) -> frozenset[str]:
        """Return the agents who are away."""
        configured = {normalise(each.address) for each in self._settings.agents if self._settings.is_absent(each, now)}
        return frozenset(agents.away(connection, now)) | configured

    def _letters(self, post: Post, absent: frozenset[str]) -> list[Letter]:
        """Return who gets a mail for `post`: one letter for all customers, or one for each agent."""
        thread = post.thread
        department = self._settings.department(thread.department) or self._settings.departments[0]
        if post.tell in TO_AGENTS:
            return [
                Letter(post, department, self._settings.language_of(agent), agent=agent)
                for agent in self._agents_for(post, department, absent)
            ]
        cc = tuple(each for each in thread.participants if valid(each.address)) if post.tell is Tell.ANSWER else ()
        return [Letter(post, department, thread.language or department.language, (thread.requester,), cc)]

    def _agents_for(self, post: Post, department: Department, absent: frozenset[str]) -> list[Agent]:
        """Return the agents to be told: the author of what came back, the assignee, else the whole department.

        An assignee who is away is told together with those who are not; somebody is told in any case.
        """
        if isinstance(post.about, Asked | Collision | Done):
            asking = self._settings.agent_of(post.about.agent)
            return [asking] if asking else []
        author = post.about.author.address if isinstance(post.about, FiledMail) else ""
        if post.tell is Tell.RETURNED:
            agent = self._settings.agent_of(author)
            return [agent] if agent else []
        assignee = self._settings.agent_of(post.state.assignee) if post.state.assignee else None
        told = [assignee] if assignee else []
        if assignee is None or (normalise(assignee.address) in absent and post.tell in _OF_CUSTOMERS):
            # Nobody waits unnoticed: of a department in which nobody works all hear.
            everybody = self._settings.agents_of(department.name) or self._settings.agents
            told += [each for each in everybody if normalise(each.address) not in absent] or everybody
        if post.tell is Tell.NOTIFICATION and isinstance(post.about, FiledMail) and post.before.waiting_since is None:
            told += [agent for name in post.about.also_for for agent in self._settings.agents_of(name)]
        if post.tell is Tell.BREACHED and department.lead and (lead := self._settings.agent_of(department.lead)):
            told.append(lead)
        if escalated := self._escalated_to(post, told):
            told = escalated if post.tell is Tell.ESCALATED else [each for each in told if each not in escalated]
        knows = {normalise(author), post.about.brought_by if isinstance(post.about, FiledMail) else ""}
        return [agent for agent in dict.fromkeys(told) if normalise(agent.address) not in knows]

    def _escalated_to(self, post: Post, owners: Sequence[Agent]) -> list[Agent]:
        """Return who is told of the rules that acted: whom they name, and the owners whom they chose."""
        names = post.state.escalated - post.before.escalated
        rules = [each for each in self._settings.escalations if each.name in names]
        named = [agent for each in rules for address in each.tell if (agent := self._settings.agent_of(address))]
        return [*(owners if any(each.move_to or each.assign for each in rules) else ()), *named]

    def _enrol_agents(self, letters: Sequence[Letter], enrolled: Mapping[str, Person]) -> None:
        for letter in letters:
            if letter.agent:
                letter.to = (enrolled[normalise(letter.agent.address)],)

    def _signed(self, letter: Letter, role: Role, person: Person) -> str:
        ticket_id = 0 if role is Role.DESK else letter.post.thread.ticket_id
        token = sign(self._keys, Token(ticket_id, role, person.address_id))
        return reply_address(letter.department.address, token, self._settings.maild.reply_form)

    def _release(self, letter: Letter, mail_id: int, *, reject: bool = False) -> str:
        base, form = letter.department.address, self._settings.maild.reply_form
        return release_address(self._keys, mail_id, letter.to[0].address_id, base, form, reject=reject)

    def _undo(self, letter: Letter, mail_id: int) -> str:
        return undo_token(self._keys, Undo(mail_id, letter.post.thread.ticket_id, letter.to[0].address_id))

    def _write(self, connection: Connection, letters: Sequence[Letter], now: datetime, ready: Letters) -> None:
        if not letters:
            return
        self._remind(connection, letters)
        sharing = Sharing(self._templates)
        made: list[Letter] = []
        waiting_bytes = 0
        for letter in letters:
            one = ready.take(letter, now)
            if one is None:
                one = letter
                self._make(one, now, sharing)
            made.append(one)
            waiting_bytes += len(one.raw)
            if waiting_bytes >= WAITING_BYTES:  # a file for twenty agents is not in memory twenty times
                rows.write(connection, made, now)
                made, waiting_bytes = [], 0
        if made:
            rows.write(connection, made, now)

    def _remind(self, connection: Connection, letters: Sequence[Letter]) -> None:
        """Note with letters what was said on their tickets before."""
        said = conversations.latest(connection, {letter.post.thread.ticket_id for letter in letters}, merged=True)
        for letter in letters:
            letter.said = said.get(letter.post.thread.ticket_id, ())

    def _make(self, letter: Letter, now: datetime, sharing: Sharing) -> None:
        """Address, word and compose a letter whose ticket has its number."""
        ticket_id = letter.post.thread.ticket_id
        role = Role.AGENT if letter.agent else Role.CUSTOMER
        letter.reply_to = {each.address_id: self._signed(letter, role, each) for each in letter.recipients}
        letter.leave = {each.address_id: self._signed(letter, Role.LEAVE, each) for each in letter.cc}
        domain = letter.department.address.rpartition("@")[2]
        letter.message_id = message_id(self._keys, ticket_id, self._nonce(), domain)
        letter.references = self._references(letter, domain)
        reference = sign(self._keys, Token(ticket_id, Role.THREAD, 0))
        words = self._words.of(letter, letter.said, reference, now)
        rendered = sharing.render(letter.post, words, letter.language)
        letter.subject = rendered.subject
        letter.text = getattr(words, "text", "") if letter.post.tell is Tell.ANSWER else ""
        letter.files = sharing.files(letter)
        agent = self._settings.agent_of(letter.post.agent) if letter.post.agent else None
        letter.speaker = agent.name if agent else letter.department.title
        draft = Draft(
            from_=_from(letter),
            to=tuple(each.mailbox for each in letter.to),
            cc=tuple(each.mailbox for each in letter.cc),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=letter.message_id,
            date=now,
            in_reply_to=letter.references[-1] if letter.references else "",
            references=letter.references,
            automatic=_automatic(letter),
            bulk=letter.post.tell is Tell.REMINDER,
            extra=((Extra.CONTENT_LANGUAGE, letter.language),),
            files=letter.files,
        )
        letter.raw = compose(draft)

    def _references(self, letter: Letter, domain: str) -> tuple[str, ...]:
        """Return what the mail refers to, so that its reader's client keeps it in the conversation that he knows."""
        if letter.agent:
            return (message_id(self._keys, letter.post.thread.ticket_id, AGENTS_THREAD, domain),)
        about = letter.post.about
        if isinstance(about, FiledMail) and letter.post.tell in _REPLIES:  # else it may be an agent's
            message = about.message
            return _thread((*message.references, *message.in_reply_to[:1], message.message_id))
        own = (each for each in letter.said if each.ticket_id == letter.post.thread.ticket_id)  # not what was merged
        heard = next((each for each in own if each.with_customer and each.message_id), None)
        if heard is None or heard.message_id is None:
            return ()
        return _thread((*reversed(heard.references), heard.message_id))


def _agents(letters: Sequence[Letter]) -> list[Address]:
    return [Address(letter.agent.name, letter.agent.address) for letter in letters if letter.agent]


def _thread(ids: Sequence[str]) -> tuple[str, ...]:
    """Return ids of a conversation, oldest first, each once where it stood last, the first one and the newest."""
    each_once = list(dict.fromkeys(reversed([each for each in ids if each])))[::-1]
    if len(each_once) > REFERENCES_KEPT:
        each_once = [each_once[0], *each_once[1 - REFERENCES_KEPT :]]
    return tuple(each_once)


def _from(letter: Letter) -> Address:
    """Return who the mail is from: always our own address, with the name of whoever speaks."""
    title, about = letter.department.title, letter.post.about
    if letter.post.tell is Tell.ANSWER:
        title = f"{letter.speaker} ({title})"
    elif letter.post.tell is Tell.NOTIFICATION and isinstance(about, FiledMail):
        title = f"{about.author.name or about.author.address} via {title}"
    return Address(title, letter.department.address)


def _automatic(letter: Letter) -> Automatic:
    if not letter.automatic:
        return Automatic.NO
    return Automatic.REPLIED if letter.post.tell in _REPLIES else Automatic.GENERATED
