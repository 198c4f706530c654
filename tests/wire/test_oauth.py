"""Tokens are had, kept, renewed and rotated, and every refusal is told in the provider's own words."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from maild.cli import main as commands
from maild.config import Settings
from maild.config.connections import Relay as RelaySettings
from maild.oauth.consent import begin_browser, begin_device, finish_browser, finish_device
from maild.oauth.provider import NoToken
from maild.oauth.tokens import RENEWING, Tokens, _name
from maild.services.sender.relay import Relay, RelayTrouble
from maild.store.engine import Database
from maild.store.models import TokenRow
from tests.clock import FakeClock
from tests.wire.imap_reading import DESK, Reading, mail, settings_for
from tests.wire.imap_server import Imap, serving
from tests.wire.sink import sink
from tests.wire.test_imap_faults import HASTE
from tests.wire.token_server import Provider, providing

USER = "support@acme.example"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as running:
        yield running


def application(provider: Provider, more: str = "") -> str:
    return f"""
[oauth.office]
client_id = "maild-1"
token_url = "{provider.url}/token"
device_url = "{provider.url}/device"
authorize_url = "{provider.url}/authorize"
scopes = ["imap", "smtp", "offline_access"]
{more}
"""


def settings_of(provider: Provider, port: int = 143, more: str = "") -> Settings:
    return settings_for("127.0.0.1", port, USER, 'oauth = "office"\n' + application(provider, more))


@pytest.fixture
def tokens(database: Database, provider: Provider, clock: FakeClock) -> Tokens:
    """Somebody has logged in."""
    made = Tokens(database, settings_of(provider), clock)
    with provider.lock:
        made.keep("office", USER, provider.give())
    return made


def test_a_token_is_used_until_it_is_about_to_end_and_then_renewed(
    tokens: Tokens, provider: Provider, clock: FakeClock
) -> None:
    first = tokens.access_token("office", USER)
    clock.advance(minutes=57)
    assert tokens.access_token("office", USER) == first
    assert provider.forms == []

    clock.advance(minutes=2)
    assert tokens.access_token("office", USER) == "access-2"
    assert [form["refresh_token"] for form in provider.forms] == ["refresh-1"]
    assert provider.forms[0]["client_id"] == "maild-1"


def test_rotated_refresh_tokens_are_kept(tokens: Tokens, provider: Provider, clock: FakeClock) -> None:
    for _ in range(5):
        clock.advance(hours=1)
        tokens.access_token("office", USER)

    assert [form["refresh_token"] for form in provider.forms] == [f"refresh-{number}" for number in range(1, 6)]


def test_a_provider_that_rotates_nothing_is_asked_with_the_same(
    tokens: Tokens, provider: Provider, clock: FakeClock
) -> None:
    provider.rotates = False
    for _ in range(3):
        clock.advance(hours=1)
        tokens.access_token("office", USER)

    assert [form["refresh_token"] for form in provider.forms] == ["refresh-1"] * 3


def test_many_who_need_a_token_ask_once(tokens: Tokens, provider: Provider, clock: FakeClock) -> None:
    clock.advance(hours=1)
    provider.delay = threading.Event()
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(tokens.access_token("office", USER)), daemon=True) for _ in range(6)
    ]
    for each in threads:
        each.start()
    provider.delay.set()
    for each in threads:
        each.join(20)

    assert got == ["access-2"] * 6
    assert len(provider.forms) == 1


def test_a_refusal_is_told_in_the_providers_words_with_what_helps(
    tokens: Tokens, provider: Provider, clock: FakeClock, database: Database
) -> None:
    provider.refresh_tokens.clear()
    clock.advance(hours=1)
    with pytest.raises(NoToken) as caught:
        tokens.access_token("office", USER)
    assert str(caught.value) == "invalid_grant: AADSTS70043: The refresh token has expired"
    assert "maild mailbox login inbox" in caught.value.fix_for("inbox")

    with database.read() as connection:
        row = connection.execute(select(TokenRow.__table__)).one()
    assert (row.refresh_token, row.renewing_until) == ("refresh-1", None)  # a provider's mistake may pass
    tokens.keep("office", USER, provider.give())
    assert tokens.access_token("office", USER) == "access-2"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"<html>oops</html>", "500"),
        (200, b"<html>hello</html>", "not JSON"),
        (200, b"[1]", "not JSON"),
        (200, b"{}", "no access_token"),
        (401, b'{"error": "invalid_client", "error_description": "bad\\u0000secret\\r\\nX: y"}', "invalid_client: bad"),
    ],
)
def test_what_a_provider_answers_is_harmless(
    tokens: Tokens, provider: Provider, clock: FakeClock, status: int, body: bytes, said: str
) -> None:
    clock.advance(hours=1)
    provider.answers.append((status, body))
    with pytest.raises(NoToken) as caught:
        tokens.access_token("office", USER)

    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert tokens.access_token("office", USER) == "access-2"


def test_a_provider_that_is_away_is_no_end(tokens: Tokens, provider: Provider, clock: FakeClock) -> None:
    gone = Tokens(tokens._database, settings_of(Provider(port=9)), clock)
    clock.advance(hours=1)
    with pytest.raises(NoToken, match=r"127\.0\.0\.1"):
        gone.access_token("office", USER)

    assert tokens.access_token("office", USER) == "access-2"


def test_a_renewal_that_a_kill_cut_off_is_done_by_another_after_a_while(
    tokens: Tokens, clock: FakeClock, database: Database
) -> None:
    clock.advance(hours=1)
    assert tokens._lease(_name("office", USER), clock(), clock() + RENEWING, create=False) == "refresh-1"
    clock.advance(RENEWING + timedelta(seconds=1))

    assert tokens.access_token("office", USER) == "access-2"


def test_an_application_may_have_rights_of_its_own(database: Database, provider: Provider, clock: FakeClock) -> None:
    settings = settings_of(provider, more='flow = "client-credentials"\nclient_secret = "hidden"')
    tokens = Tokens(database, settings, clock)
    assert tokens.access_token("office", USER) == "access-1"
    clock.advance(hours=1)
    assert tokens.access_token("office", USER) == "access-2"

    assert [form["grant_type"] for form in provider.forms] == ["client_credentials"] * 2
    assert provider.forms[0]["client_secret"] == "hidden"
    assert "hidden" not in repr(settings)


def test_nobody_logged_in_yet_is_said(database: Database, provider: Provider, clock: FakeClock) -> None:
    with pytest.raises(NoToken, match="nobody has logged in") as caught:
        Tokens(database, settings_of(provider), clock).access_token("office", USER)

    assert "maild mailbox login inbox" in caught.value.fix_for("inbox")


def test_a_device_code_is_waited_for_as_the_provider_says(provider: Provider) -> None:
    known = settings_of(provider).oauth["office"]
    device = begin_device(known)
    provider.pending = 2
    provider.answers.append((400, b'{"error": "slow_down"}'))
    waits: list[float] = []
    answer = finish_device(known, device, waits.append)

    assert (device.url, device.user_code) == ("http://x/d", "ABCD-EFGH")
    assert answer["access_token"] == "access-1"
    assert waits == [1, 6, 6, 6]


def test_a_device_code_that_nobody_types_in_ends(provider: Provider) -> None:
    known = settings_of(provider).oauth["office"]
    device = begin_device(known)
    provider.pending = 1000
    with pytest.raises(NoToken, match="in time"):
        finish_device(known, device, lambda _seconds: None)

    assert len(provider.forms) == 61


def test_a_provider_that_hiccups_while_a_person_types_is_asked_again_later(provider: Provider) -> None:
    known = settings_of(provider).oauth["office"]
    device = begin_device(known)
    provider.answers += [(503, b"<html>"), (500, b"")]
    waits: list[float] = []
    answer = finish_device(known, device, waits.append)

    assert answer["access_token"] == "access-1"
    assert waits == [1, 2, 4]


def test_a_pasted_address_is_checked_and_exchanged(provider: Provider) -> None:
    known = settings_of(provider, more='flow = "browser"').oauth["office"]
    consent = begin_browser(known, USER)
    asked = {key: values[0] for key, values in parse_qs(urlsplit(consent.url).query).items()}
    provider.codes["c0de"] = asked["code_challenge"]
    ended = f"{asked['redirect_uri']}?state={asked['state']}&code=c0de&scope=x"
    answer = finish_browser(known, consent, f"  {ended}\n")

    assert answer["refresh_token"] == "refresh-1"
    assert provider.forms[0]["code_verifier"] == consent.verifier
    for wrong, said in (
        (ended.replace("state=", "state=x"), "another login"),
        ("http://127.0.0.1/", "no code"),
        ("http://127.0.0.1/?error=access_denied", "access_denied"),
    ):
        with pytest.raises(NoToken, match=said):
            finish_browser(known, consent, wrong)


def test_a_mailbox_is_read_by_token_and_a_withdrawn_one_is_replaced(
    sqlite_database: Database, provider: Provider, clock: FakeClock
) -> None:
    with serving(Imap()) as server:
        server.tokens = provider.access_tokens
        settings = settings_of(provider, server.port)
        tokens = Tokens(sqlite_database, settings, clock)
        with provider.lock:
            tokens.keep("office", USER, provider.give())
        reading = Reading(sqlite_database, settings, clock, HASTE)
        reading.read()
        provider.access_tokens.clear()
        reading.worker._hang_up()
        new = mail()
        server.add(new)
        reading.worker.step()
        error = reading.row.error
        reading.clock.advance(seconds=1)
        reading.read()

        assert '{"status":"400","schemes":"Bearer"}' in error
        assert "access-1" not in error
        assert reading.raws() == {new: 1}
        reading.close()


def test_a_mailbox_whose_consent_was_withdrawn_says_what_helps(
    sqlite_database: Database, provider: Provider, clock: FakeClock
) -> None:
    with serving(Imap()) as server:
        reading = Reading(sqlite_database, settings_of(provider, server.port), clock, HASTE)
        reading.worker.step()

        assert "nobody has logged in" in reading.row.error
        reading.close()


def test_what_helps_names_what_it_is_about(
    provider: Provider, sqlite_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: FakeClock
) -> None:
    with serving(Imap(tokens=provider.access_tokens)) as server, sink() as smarthost:
        config = written(tmp_path, provider, server.port, smarthost.port)
        commands(["mailbox", "test", "inbox", "-c", config])
        tested = capsys.readouterr()
        commands(["mailbox", "login", "relais", "-c", config])
        misspelt = capsys.readouterr()
        where = {"host": "localhost", "port": smarthost.port, "security": "none", "user": USER, "oauth": "office"}
        nobody = Tokens(sqlite_database, settings_of(provider), clock)
        with pytest.raises(RelayTrouble, match="nobody has logged in yet; run: maild mailbox login relay"):
            Relay(RelaySettings.model_validate(where), "desk.acme.example", nobody).probe()

    assert "fix: run: maild mailbox login inbox\n" in tested.out
    assert "there is: inbox, and relay" in misspelt.err


@pytest.mark.parametrize(("answer", "said"), [("235 2.7.0 welcome", "ok    logging in"), ("535 5.7.3 no", "5.7.3 no")])
def test_a_login_for_the_relay_is_tried_at_the_relay(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str, said: str
) -> None:
    with sink() as smarthost:
        smarthost.users = {"x": "y"}
        smarthost.on("AUTH", answer, about="XOAUTH2")
        config = written(tmp_path, provider, None, smarthost.port)
        status = commands(["mailbox", "login", "relay", "-c", config])
        told = capsys.readouterr()

    assert said in told.out, told
    assert (status == 0) is answer.startswith("2")


def test_who_logs_in_while_the_provider_is_away_is_told_to_try_again(
    provider: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.answers.append((503, b""))
    status = commands(["mailbox", "login", "inbox", "-c", written(tmp_path, provider, 1, 1)])

    assert status == 1
    said = capsys.readouterr().err
    assert "answers 503" in said
    assert "try again" in said
    assert "by itself" not in said


def written(folder: Path, provider: Provider, imap_port: int | None, smtp_port: int) -> str:
    """Write a configuration whose relay, and mailbox if there is one, log in by tokens; return where it is."""
    login = f'host = "127.0.0.1"\nuser = "{USER}"\nsecurity = "none"\noauth = "office"\n'
    box = (
        f'[[mailbox]]\nname = "inbox"\n{login}port = {imap_port}\n' if imap_port else '[smtp]\nlisten = "127.0.0.1:0"\n'
    )
    config = folder / "config.toml"
    desk = DESK.replace("[maild]", '[maild]\ndatabase = "desk.db"')
    config.write_text(f"{desk}{box}[relay]\n{login}port = {smtp_port}\n{application(provider)}")
    return str(config)


def test_the_relay_is_logged_in_to_with_the_same_token(tokens: Tokens, provider: Provider) -> None:
    with sink() as smarthost:
        smarthost.users = {"x": "y"}
        said: list[str] = []
        smarthost.on("AUTH", "235 2.7.0 welcome", about="XOAUTH2")
        where = {"host": "localhost", "port": smarthost.port, "security": "none", "user": USER, "oauth": "office"}
        relay = Relay(RelaySettings.model_validate(where), "desk.acme.example", tokens)
        relay.probe()
        said += [each for each in smarthost.commands if each.startswith("AUTH")]
    assert len(said) == 1
    assert said[0].startswith("AUTH XOAUTH2 ")


def test_a_relay_that_takes_no_token_says_why(tokens: Tokens, provider: Provider) -> None:
    with sink() as smarthost:
        smarthost.on("AUTH", "535 5.7.3 Authentication unsuccessful", about="XOAUTH2")
        where = {"host": "localhost", "port": smarthost.port, "security": "none", "user": USER, "oauth": "office"}
        relay = Relay(RelaySettings.model_validate(where), "desk.acme.example", tokens)
        with pytest.raises(RelayTrouble, match="Authentication unsuccessful"):
            relay.probe()

    assert tokens.access_token("office", USER) == "access-2"


def test_one_logs_in_from_the_command_line(
    provider: Provider, tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Imap(tokens=provider.access_tokens)) as server:
        where = f'host = "127.0.0.1"\nport = {server.port}\nuser = "{USER}"\nsecurity = "none"\n'
        box = f'[[mailbox]]\nname = "inbox"\n{where}'
        config = tmp_path / "config.toml"
        config.write_text(
            DESK.replace("[maild]", '[maild]\ndatabase = "desk.db"')
            + box
            + 'oauth = "office"\n'
            + application(provider)
        )
        server.add(mail(), mail())
        provider.pending = 1
        status = commands(["mailbox", "login", "inbox", "-c", str(config)])
        said = capsys.readouterr()
        again = commands(["mailbox", "folders", "inbox", "-c", str(config)])
        listed = capsys.readouterr()

    assert status == 0, said
    assert "ABCD-EFGH" in said.err
    assert "of 2 mails 0 would be fetched, 2 are left alone" in said.out
    assert (again, listed.out) == (0, "INBOX\n")
    assert "access-" not in said.out + said.err
