"""A provider of OAuth2 tokens on loopback: device codes, consent, refresh with rotation, client credentials."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl


@dataclass
class Provider:
    """What it gave, and how it answers next."""

    port: int = 0
    refresh_tokens: set[str] = field(default_factory=set)  # that are taken
    access_tokens: set[str] = field(default_factory=set)
    forms: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # given first, in order
    pending: int = 0  # how often a device code is said to be waiting
    rotates: bool = True
    lasts_s: int = 3600
    delay: threading.Event | None = None  # waited for before an answer
    codes: dict[str, str] = field(default_factory=dict)  # of consent: code -> challenge

    def __post_init__(self) -> None:
        self._number = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self, error: str, description: str = "", status: int = 400) -> None:
        """Answer the next question so."""
        said = {"error": error, "error_description": description}
        self.answers.append((status, json.dumps(said).encode()))

    def give(self) -> dict[str, object]:
        self._number += 1
        access, refresh = f"access-{self._number}", f"refresh-{self._number}"
        self.access_tokens.add(access)
        given: dict[str, object] = {"access_token": access, "expires_in": self.lasts_s, "token_type": "Bearer"}
        if self.rotates:
            self.refresh_tokens = {refresh}  # the old one is worth nothing any more
            given["refresh_token"] = refresh
        return given

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, bytes]:
        with self.lock:
            self.forms.append(form)
            if self.answers:
                return self.answers.pop(0)
            if path == "/device":
                return _ok(
                    device_code="device-1",
                    user_code="ABCD-EFGH",
                    verification_uri="http://x/d",
                    interval=1,
                    expires_in=60,
                )
            match form.get("grant_type"):
                case "refresh_token":
                    if form.get("refresh_token") not in self.refresh_tokens:
                        return _no("invalid_grant", "AADSTS70043: The refresh token has expired")
                case "urn:ietf:params:oauth:grant-type:device_code":
                    if self.pending:
                        self.pending -= 1
                        return _no("authorization_pending", "")
                case "authorization_code":
                    if form.get("code") not in self.codes:
                        return _no("invalid_grant", "Malformed auth code.")
                case "client_credentials":
                    given = self.give()
                    given.pop("refresh_token", None)
                    return _ok(**given)
                case _:
                    return _no("unsupported_grant_type", "")
            return _ok(**self.give())


def _ok(**values: object) -> tuple[int, bytes]:
    return 200, json.dumps(values).encode()


def _no(error: str, description: str) -> tuple[int, bytes]:
    return 400, json.dumps({"error": error, "error_description": description}).encode()


@contextmanager
def providing() -> Iterator[Provider]:
    """Serve on a free port of loopback."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            if provider.delay is not None:
                provider.delay.wait(5)
            status, body = provider.answer(self.path, form)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
