"""The resolver against a DNS server on this machine that answers as it is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from maild.message.lookup import Kind, Unavailable
from maild.services.filer.resolver import Resolver

LONG = "v=spf1 " + "ip4:192.0.2.1 " * 30
ZONE = {
    ("acme.example.", "TXT"): [f'"{LONG[:200]}" "{LONG[200:]}"', '"v=other"'],
    ("bytes.example.", "TXT"): ['"caf\\233"'],
    ("mail.acme.example.", "A"): ["192.0.2.7", "192.0.2.8"],
    ("mail.acme.example.", "AAAA"): ["2001:db8::7"],
    ("acme.example.", "MX"): ["20 second.acme.example.", "10 first.acme.example."],
    ("7.2.0.192.in-addr.arpa.", "PTR"): ["mail.acme.example."],
}


class Server:
    """Answers from ZONE; counts what it was asked."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.asked: list[tuple[str, str]] = []
        self.silent = False
        self.refusing = False

    def serve(self) -> None:
        while True:
            raw, peer = self.socket.recvfrom(4096)
            if not raw:
                return
            query = dns.message.from_wire(raw)
            [question] = query.question
            name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
            self.asked.append((name, kind))
            if not self.silent:
                self.socket.sendto(self._answer(query, name, kind).to_wire(), peer)

    def _answer(self, query: dns.message.Message, name: str, kind: str) -> dns.message.Message:
        answer = dns.message.make_response(query, recursion_available=True)
        if self.refusing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in ZONE:
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *ZONE[name, kind]))
        elif not any(each == name for each, _ in ZONE):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


@contextmanager
def serving() -> Iterator[tuple[Server, Resolver]]:
    server = Server()
    thread = threading.Thread(target=server.serve)
    thread.start()
    resolver = Resolver()
    asking = dns.resolver.Resolver(configure=False)
    asking.nameservers = ["127.0.0.1"]
    asking.port = server.socket.getsockname()[1]
    asking.cache = dns.resolver.LRUCache(100)
    resolver._resolver = asking
    try:
        yield server, resolver
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", server.socket.getsockname())
        thread.join()
        server.socket.close()


@pytest.mark.parametrize(
    ("name", "kind", "answers"),
    [
        ("acme.example", "TXT", (LONG, "v=other")),
        ("ACME.example.", "TXT", (LONG, "v=other")),
        ("bytes.example", "TXT", ("caf\xe9",)),
        ("mail.acme.example", "A", ("192.0.2.7", "192.0.2.8")),
        ("mail.acme.example", "AAAA", ("2001:db8::7",)),
        ("acme.example", "MX", ("first.acme.example", "second.acme.example")),
        ("7.2.0.192.in-addr.arpa", "PTR", ("mail.acme.example",)),
        ("mail.acme.example", "TXT", ()),
        ("missing.example", "TXT", ()),
        ("x" * 64 + ".example", "TXT", ()),
        ("x." * 150 + "example", "TXT", ()),
        ("a..example", "TXT", ()),
    ],
)
def test_what_is_published_is_returned(name: str, kind: Kind, answers: tuple[str, ...]) -> None:
    with serving() as (_, resolver):
        assert tuple(sorted(resolver.ask(name, kind, 2.0))) == tuple(sorted(answers))


def test_mail_exchangers_come_best_first() -> None:
    with serving() as (_, resolver):
        assert resolver.ask("acme.example", "MX", 2.0) == ("first.acme.example", "second.acme.example")


@pytest.mark.parametrize("name", ["acme.example", "missing.example"])
def test_what_was_asked_is_not_asked_again(name: str) -> None:
    with serving() as (server, resolver):
        first = resolver.ask(name, "TXT", 2.0)
        again = resolver.ask(name, "TXT", 2.0)

        assert first == again
        assert len(server.asked) == 1


@pytest.mark.parametrize("trouble", ["silent", "refusing"])
def test_a_server_in_trouble_is_no_answer(trouble: str) -> None:
    with serving() as (server, resolver):
        setattr(server, trouble, True)

        with pytest.raises(Unavailable, match=r"did not answer for TXT of acme\.example"):
            resolver.ask("acme.example", "TXT", 0.3)
