"""Checks of what is written: the configuration, the templates, and loops that they would make."""

from collections.abc import Iterator

from maild import config
from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, warning
from maild.config import ConfigError
from maild.message.address import normalise
from maild.templates import BrokenTemplatesError, Templates


def _usable(patient: Patient) -> Iterator[Finding]:
    try:
        settings = config.load(patient.path)
    except ConfigError as error:
        for each in error.faults:
            yield fault(str(each))
        return
    yield ok(
        f"{patient.path}: departments: {len(settings.departments)}, agents: {len(settings.agents)}, "
        f"mailboxes: {len(settings.mailboxes)}"
    )


def _not_risky(patient: Patient) -> Iterator[Finding]:
    found = [each for each in config.warnings(patient.desk) if not each.startswith(("maild.operator", "department "))]
    yield from map(warning, found)
    if not found:
        yield ok("nothing that is allowed but risky")


def _operator(patient: Patient) -> Iterator[Finding]:
    operator = patient.desk.maild.operator
    if operator is None:
        yield warning("nobody is told by mail when something breaks")
    else:
        yield ok(f"{operator} is told")


def _agents(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk
    for each in settings.departments:
        agents = settings.agents_of(each.name)
        if agents:
            yield ok(f"department {each.name}: {', '.join(agent.name for agent in agents)}")
        else:
            told = "all agents are" if settings.agents else "nobody is"
            yield fault(f"department {each.name}: no agent belongs to it, so {told} told of its tickets")


def _no_loops(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk
    clean = True
    people = {normalise(each.address): f"agent {each.name}'s" for each in settings.agents}
    if settings.maild.operator:
        people.setdefault(normalise(settings.maild.operator), "the operator's")
    for mailbox in settings.mailboxes:
        owner = people.get(normalise(mailbox.user or ""))
        if owner:
            clean = False
            yield fault(
                f"mailbox {mailbox.name} is {owner} own: what maild writes to him would come back as customers' mail",
                "read a mailbox that only customers write to",
            )
    folders = [(each.host, each.port, each.user, each.folder) for each in settings.mailboxes]
    for mailbox in settings.mailboxes:
        if folders.count((mailbox.host, mailbox.port, mailbox.user, mailbox.folder)) > 1:
            clean = False
            yield warning(f"mailbox {mailbox.name}: another one reads the same folder", "remove one of the two")
    if settings.maild.reply_form == "catch-all":
        for address, owner in people.items():
            if address.rpartition("@")[2] in settings.ours:
                clean = False
                yield fault(
                    f"with reply_form = 'catch-all' maild takes every address of {address.rpartition('@')[2]}, "
                    f"{owner} {address} too: what is sent to it comes back",
                    "give maild a domain of its own, such as desk.acme.example",
                )
    if clean:
        yield ok("no mailbox and no address of a person leads back to maild")


def _templates(patient: Patient) -> Iterator[Finding]:
    try:
        templates = Templates(patient.desk.maild.templates)
    except BrokenTemplatesError as error:
        yield from map(fault, error.faults)
        return
    faults = templates.check()
    yield from map(fault, faults)
    if not faults:
        yield ok(f"all render in {', '.join(templates.languages)}")


def _languages(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk
    try:
        templates = Templates(settings.maild.templates)
    except BrokenTemplatesError:
        yield fault("the templates cannot be read (D06)", "see D06")
        return
    spoken = set(templates.languages)
    wanted = {each.language for each in settings.departments} | {settings.language_of(each) for each in settings.agents}
    silent = sorted(each for each in wanted if each not in spoken and each.partition("-")[0] not in spoken)
    for each in silent:
        yield warning(f"{each}: maild does not speak it; English is written instead")
    for language, words in templates.untranslated().items():
        if words and language in wanted:
            yield warning(f"{language}: {len(words)} texts of your templates are not translated")
            silent.append(language)
    if not silent:
        yield ok(f"{', '.join(sorted(wanted))}: all texts are there")


_WANTS = (Need.CONFIGURATION,)
CHECKS = (
    Check(
        "D01",
        Group.CONFIGURATION,
        "The configuration can be used",
        "All else follows from it; with a fault the daemon does not start (exit status 78).",
        "change the line that is named; every key is explained by: maild man maild.toml",
        _usable,
    ),
    Check(
        "D02",
        Group.CONFIGURATION,
        "Nothing in it is risky",
        "Passwords that others can read, mail that is sent in the clear, keys without effect.",
        "do what the line says",
        _not_risky,
        _WANTS,
    ),
    Check(
        "D03",
        Group.CONFIGURATION,
        "Somebody is told when something breaks",
        "A mailbox that cannot be read, or a mail that is set aside, is otherwise only seen by those who look.",
        "set `operator` in [maild] to an address that is read even when the desk is down",
        _operator,
        _WANTS,
    ),
    Check(
        "D04",
        Group.CONFIGURATION,
        "Every department has somebody who answers",
        "A customer's mail opens a ticket there, and nobody would hear of it.",
        "add an [[agent]], or the department to `departments` of one",
        _agents,
        _WANTS,
    ),
    Check(
        "D05",
        Group.CONFIGURATION,
        "No mail goes round in circles",
        "A notification that comes back as a customer's mail opens a ticket, which is notified of ...",
        "see what was found",
        _no_loops,
        _WANTS,
    ),
    Check(
        "D06",
        Group.CONFIGURATION,
        "All templates can be rendered",
        "A template with a fault keeps its mails from being written.",
        "change the file and line that are named; `maild template preview` shows what it becomes",
        _templates,
        _WANTS,
    ),
    Check(
        "D07",
        Group.CONFIGURATION,
        "maild speaks the languages of departments and agents",
        "What is not translated is written in English.",
        "put a catalogue into the folder `templates` of [maild] (locale/LANGUAGE/maild.po), or set another language",
        _languages,
        _WANTS,
    ),
)
