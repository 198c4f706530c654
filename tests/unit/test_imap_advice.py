"""What an operator is told of what a mail provider says: each in the words in which it was seen to say it."""

import pytest

from maild.services.imap_poller.advice import LONGEST_WAIT_S, of_folder, of_login, of_words
from maild.services.imap_poller.trouble import Step, Trouble

SAID = {
    "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)": (
        "make an app password"
    ),
    "[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754": "web browser",
    "[WEBALERT https://accounts.google.com/signin/continue?x] Web login required.": "web browser",
    "[ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page": "switch IMAP on",
    "You are yet to enable IMAP for your account. Please contact your administrator": "switch IMAP on",
    "LOGIN failed. BasicAuthBlocked": "use oauth",
    "EXAMINE command error: BAD [User is authenticated but not connected.]": "opens no mailbox",
    "[UNAVAILABLE] UID FETCH Server error while fetching messages": "a fault at the provider",
    "Server Unavailable. 15": "a fault at the provider",
    "[CONTACTADMIN] account locked": "ask him",
}


@pytest.mark.parametrize("words", SAID)
def test_what_a_provider_says_is_answered_by_what_to_do(words: str) -> None:
    assert SAID[words] in of_words(words).fix
    assert Trouble(Step.LOGIN, words, "something else").fix == of_words(words).fix


@pytest.mark.parametrize(
    ("words", "wait_s"),
    [
        ("BAD [Request is throttled. Suggested Backoff Time: 92415 milliseconds]", 92.415),
        ("Request is throttled. Suggested Backoff Time: 999999999 milliseconds", LONGEST_WAIT_S),
        ("[OVERQUOTA] Account exceeded command or bandwidth limits.", 300),
        ("[LIMIT] LOGIN Rate limit hit.", 300),
        ("[ALERT] Too many simultaneous connections. (Failure)", 60),
        ("Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)", 60),
        ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", 0),
        ("socket error: EOF", 0),
    ],
)
def test_a_server_that_asks_for_it_is_left_alone(words: str, wait_s: float) -> None:
    assert of_words(words).wait_s == wait_s
    assert bool(of_words(words).fix) == bool(wait_s)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("imap.gmail.com", "app password"),
        ("outlook.office365.com", "maild mailbox login desk"),
        ("imap.mail.me.com", "app-specific password"),
        ("imap.gmx.net", "switch IMAP on"),
        ("secureimap.t-online.de", "password for e-mail programs"),
        ("imap.notgmail.com", "check user and password"),
        ("mail.acme.example", "check user and password"),
    ],
)
def test_a_refused_password_is_explained_by_the_provider(host: str, said: str) -> None:
    assert said in of_login(host, "desk")


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("Done", '"INBOX.Done"'),
        ("inbox.done", '"INBOX.Done"'),
        ("Suport", '"Support"'),
        ("[Gmail]/All Mail", '"[Gmail]/Alle Nachrichten"'),
        ("Something else", None),
    ],
)
def test_a_folder_that_is_not_there_is_answered_by_the_nearest_name(wanted: str, meant: str | None) -> None:
    folders = ["INBOX", "INBOX.Done", "INBOX.Undone", "Support", "[Gmail]/Alle Nachrichten", "[Gmail]/Papierkorb"]
    fix = of_folder(wanted, folders, "desk")

    assert fix.endswith("maild mailbox folders desk")
    assert (f"did you mean {meant}?" in fix) if meant else ("did you mean" not in fix)
