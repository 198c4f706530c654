"""What narrows a list of tickets: `list open`, `list sales`, `list nobody new`, `list tag:vip`; in any order."""

from collections.abc import Sequence
from typing import TypedDict

from maild.config import Settings
from maild.message.commands import Fault, Says, fault
from maild.rules.state import Status
from maild.services.filer.wishes import names_of_agents, names_of_departments
from maild.store import lists

NOBODY = frozenset({"nobody", "none", "unassigned"})


class Narrow(TypedDict, total=False):
    """Arguments of `lists.listed`."""

    statuses: Sequence[Status]
    department: str
    assignee: str | None
    tags: Sequence[str]


def read(written: str, settings: Settings) -> Narrow | Fault:
    """Return what `written` wants, or what is wrong with it; without a status what a customer waits in."""
    wanted = Narrow()
    statuses: list[Status] = []
    tags: list[str] = []
    departments, agents = names_of_departments(settings.departments), names_of_agents(settings.agents)
    for word in written.casefold().replace(",", " ").split():
        if word in set(Status):
            statuses.append(Status(word))
        elif word.startswith("tag:"):
            tags.append(word.removeprefix("tag:").lstrip("#"))
        elif word in departments:
            wanted["department"] = departments[word]
        elif word in NOBODY:
            wanted["assignee"] = None
        elif word in agents:
            wanted["assignee"] = agents[word]
        else:
            return no_status(word, "list open")
    if tags:
        wanted["tags"] = tags
    wanted["statuses"] = statuses or (lists.LIVING if tags else lists.WAITING)
    return wanted


def no_status(written: str, meant: str) -> Fault:
    """Return what is told to whoever wrote something else than a status."""
    return fault(Says.NO_STATUS, meant, values={"text": written[:40], "known": ", ".join(Status)})
