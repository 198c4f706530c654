"""Checks of what maild talks to: the relay, the mailboxes, and its own listener as a mail server would."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import select

from maild.cli.answers import examined
from maild.cli.answers.doctor.kinds import Check, Finding, Group, Need, Patient, fault, ok, unknown, warning
from maild.cli.answers.mailboxes import counted
from maild.config.login import PROVIDERS
from maild.message.tokens import Role, Token, reply_address, sign
from maild.services.imap_poller.trouble import Step
from maild.store import keys as signing_keys
from maild.store.models import TokenRow

_AFTER_LOGIN: Final = (Step.FOLDER, Step.AFTER, Step.WAIT)


def _relay(patient: Patient) -> Iterator[Finding]:
    relay = patient.desk.relay
    trouble = patient.relay_trouble()
    if trouble:
        yield fault(trouble)
    else:
        login = f", logged in as {relay.user}" if relay.user else ""
        yield ok(f"{relay.host}:{relay.port} answers, security {relay.security}{login}")


def _not_ourselves(patient: Patient) -> Iterator[Finding]:
    relay = patient.desk.relay
    said = "" if relay.security == "tls" else examined.greeting(relay.host, relay.port)
    if said.endswith(" maild"):
        yield fault(f"{relay.host}:{relay.port} is a maild: what is sent there comes back as customers' mail")
    else:
        yield ok(
            f"{relay.host}:{relay.port} is another program"
            if said
            else f"{relay.host}:{relay.port} says nothing of itself"
        )


def _log_ins(patient: Patient) -> Iterator[Finding]:
    for each in patient.desk.mailboxes:
        found = patient.probe(each)
        wrong = [step for step in found.findings if not step.ok and step.step not in _AFTER_LOGIN]
        for step in wrong:
            yield fault(f"mailbox {each.name}: {each.host}:{each.port}: {step.step}: {step.words}", step.fix)
        if not wrong:
            yield ok(f"mailbox {each.name}: {each.host}:{each.port}, as {each.user}")
    if not patient.desk.mailboxes:
        yield ok("no mailboxes")


def _folders(patient: Patient) -> Iterator[Finding]:
    for each in patient.desk.mailboxes:
        found = patient.probe(each)
        if any(not step.ok and step.step not in _AFTER_LOGIN for step in found.findings):
            yield unknown(f"mailbox {each.name}: nobody is logged in (D32)")
            continue
        wrong = [step for step in found.findings if not step.ok]
        for step in wrong:
            yield fault(f"mailbox {each.name}: {step.step}: {step.words}", step.fix)
        if not wrong:
            yield ok(f"mailbox {each.name}: {each.folder}; {counted(found)}")
    if not patient.desk.mailboxes:
        yield ok("no mailboxes")


def _tokens(patient: Patient) -> Iterator[Finding]:
    settings = patient.desk
    servers = [("relay", settings.relay), *((each.name, each) for each in settings.mailboxes)]
    accounts = {(each.oauth, each.user): name for name, each in servers if each.oauth and each.user}
    if not accounts:
        yield ok("nothing logs in by OAuth2")
    for (application, user), name in accounts.items():
        login = f"maild mailbox login {name}"
        with patient.store.read() as connection:
            row = connection.execute(
                select(TokenRow.__table__).where(TokenRow.name == f"{user} by {application}")
            ).one_or_none()
        by_itself = settings.oauth[application].flow == "client-credentials"
        if row is None and not by_itself:
            yield fault(f"{user}: nobody has logged in", login)
        elif row is not None and not row.refresh_token and not by_itself:
            yield fault(f"{user}: there is no refresh token, so maild cannot log in again", login)
        elif row is not None and row.expires_at is not None and row.expires_at < patient.now:
            yield warning(f"{user}: the token ended at {row.expires_at:%Y-%m-%d %H:%M} UTC and was not renewed", login)
        else:
            yield ok(
                f"{user}: {'logs in by itself' if row is None else f'renewed at {row.changed_at:%Y-%m-%d %H:%M} UTC'}"
            )
    yield from _scopes(patient)


def _scopes(patient: Patient) -> Iterator[Finding]:
    """Look whether what was asked for is enough to read, and to send where the relay uses it."""
    settings = patient.desk
    for name, application in settings.oauth.items():
        known = PROVIDERS.get(application.provider or "")
        if known is None or application.flow == "client-credentials":
            continue
        used = {"SMTP": settings.relay.oauth == name, "IMAP": any(each.oauth == name for each in settings.mailboxes)}
        wanted = [each for each in known.scopes if not any(word in each and not used[word] for word in used)]
        lacking = [each for each in wanted if each not in application.scopes]
        for each in lacking:
            yield fault(f"[oauth.{name}] does not ask for {each}", "add it to `scopes`, then log in again")


def _listener(patient: Patient) -> Iterator[Finding]:
    smtp = patient.desk.smtp
    if smtp is None:
        yield ok("no listener: mail comes from mailboxes")
        return
    for each in examined.listener(smtp):
        yield fault(each.text) if each.level == examined.FAULT else ok(each.text)


def _takes_signed(patient: Patient) -> Iterator[Finding]:
    """Ask the listener, as a mail server would, whether it takes what answers are addressed to."""
    smtp = patient.desk.smtp
    if smtp is None:
        yield ok("no listener: mail comes from mailboxes")
        return
    host, port = smtp.listen
    hello = "LHLO" if smtp.protocol == "lmtp" else "EHLO"
    addresses = [each.address for each in patient.desk.departments]
    addresses += [signed(patient, each) for each in addresses]
    try:
        said = examined.spoken(
            host, port, f"{hello} doctor.invalid", "MAIL FROM:<>", *(f"RCPT TO:<{each}>" for each in addresses)
        )
    except OSError as error:
        yield unknown(f"{smtp.listen}: nobody answers there: {error}", "start the daemon")
        return
    if not said[0].endswith(" maild"):
        yield unknown(f"{smtp.listen}: another program listens there (D34)")
        return
    for address, answer in zip(addresses, said[3:], strict=True):
        yield ok(f"{address} is taken") if answer.startswith("25") else fault(f"{address}: {answer}")


def signed(patient: Patient, address: str) -> str:
    """Return a signed form of a department's address that leads to no ticket."""
    keys = signing_keys.load(patient.store, patient.now)
    return reply_address(address, sign(keys, Token(0, Role.THREAD, 0)), patient.desk.maild.reply_form)


_WANTS = (Need.CONFIGURATION, Need.DATABASE)
_WANTS_NETWORK = (Need.CONFIGURATION, Need.NETWORK)
CHECKS = (
    Check(
        "D30",
        Group.SERVERS,
        "The relay lets maild in",
        "Nothing leaves without it; what waits is tried for 5 days.",
        "see host, port, security, user and password in [relay]; its own words say what it wants",
        _relay,
        _WANTS_NETWORK,
    ),
    Check(
        "D31",
        Group.SERVERS,
        "The relay is not maild itself",
        "Every mail would come back, as a customer's.",
        "name another host or port in [relay]",
        _not_ourselves,
        _WANTS_NETWORK,
    ),
    Check(
        "D32",
        Group.SERVERS,
        "Every mailbox lets maild in",
        "Customers' mail waits there, and nobody sees it.",
        "maild mailbox test NAME shows each step",
        _log_ins,
        _WANTS_NETWORK,
    ),
    Check(
        "D33",
        Group.SERVERS,
        "The folders of the mailboxes are there",
        "A folder that was renamed is not read; one to move mail to is needed before it can be moved.",
        "maild mailbox folders NAME lists them",
        _folders,
        _WANTS_NETWORK,
    ),
    Check(
        "D34",
        Group.SERVERS,
        "The listener has its address",
        "Else mail servers cannot hand mail over.",
        "end the other program, or change `listen` in [smtp]; below port 1024 use maild.socket",
        _listener,
        (Need.CONFIGURATION,),
    ),
    Check(
        "D35",
        Group.SERVERS,
        "The listener takes signed addresses",
        "Answers are addressed to support+t1042...@; a listener that refuses them loses every answer.",
        "restart the daemon, so that it has this configuration",
        _takes_signed,
        _WANTS,
    ),
    Check(
        "D36",
        Group.SERVERS,
        "Tokens of OAuth2 are there, in time, and of the right scopes",
        "Without one a mailbox or the relay is shut until somebody logs in again.",
        "maild mailbox login NAME",
        _tokens,
        _WANTS,
    ),
)
