"""A mail finds its ticket by proof, and a stranger finds no ticket by guessing."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maild.message import tokens
from maild.message.authentication import Trust
from maild.message.match import Clues, Known, KnownTicket, Verdict, collect, conversation, judge
from maild.message.parse import parse
from maild.message.tokens import Key, Keys, Role, Token

KEYS = Keys(Key("k", b"a secret of thirty-two bytes....."))
OURS = frozenset({"support@acme.example", "sales@acme.example"})
ADA = "ada@customer.example"
EVE = "eve@elsewhere.example"
HERS = frozenset({ADA})
KNOWN = Known(tickets={1042: KnownTicket(HERS), 7: KnownTicket(HERS), 8: KnownTicket(frozenset())})


def signed(ticket: int = 1042, role: Role = Role.CUSTOMER, address_id: int = 5) -> str:
    return tokens.sign(KEYS, Token(ticket, role, address_id))


def reply_to(ticket: int = 1042, role: Role = Role.CUSTOMER, address_id: int = 5) -> str:
    return tokens.reply_address("support@acme.example", signed(ticket, role, address_id), "plus")


def own_id(ticket: int = 1042, nonce: str = "n1") -> str:
    return tokens.message_id(KEYS, ticket, nonce, "acme.example")


def clues(body: str = "Hello", *recipients: str, **headers: str) -> Clues:
    """Return the evidence in a mail with these headers; `in_reply_to` is written In-Reply-To."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    raw = "\r\n".join(["From: ada@customer.example", *lines, "", body]).encode()
    return collect(parse(raw), recipients or ("support@acme.example",), KEYS, OURS)


def verdict(found: Clues, known: Known = KNOWN, sender: str = ADA, trust: Trust = Trust.NONE) -> Verdict:
    return judge(found, known, sender, trust)


def test_a_mail_that_names_nothing_opens_a_new_ticket() -> None:
    found = verdict(clues(Subject="Printer on fire"))

    assert found.ticket_id is None
    assert found.proof is None
    assert found.related == ()
    assert found.reasons == ("nothing proves a ticket: a new one",)


@pytest.mark.parametrize("header", ["To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To"])
def test_a_signed_address_is_found_wherever_the_relay_left_it(header: str) -> None:
    found = verdict(clues("Hello", **{header.replace("-", "_"): f"Support <{reply_to().upper()}>"}))

    assert (found.ticket_id, found.role, found.address_id, found.proof) == (1042, Role.CUSTOMER, 5, "signed")
    assert not found.third_party
    assert found.reasons == (f"signed reply address in {header}: ticket 1042",)


def test_a_signed_address_is_found_in_the_envelope() -> None:
    found = verdict(clues("Hello", reply_to(role=Role.SOLVED)))

    assert (found.ticket_id, found.role) == (1042, Role.SOLVED)
    assert found.reasons == ("signed reply address in the envelope: ticket 1042",)


def test_a_signed_address_proves_itself_at_a_domain_that_a_provider_renamed() -> None:
    found = verdict(clues(To=reply_to().replace("acme.example", "acme.onprovider.example")))

    assert found.ticket_id == 1042


def test_a_forged_address_proves_nothing_and_is_recorded() -> None:
    forged = reply_to()[:-16] + "aaa@acme.example"
    found = verdict(clues(To=forged))

    assert found.ticket_id is None
    assert found.role is None
    assert found.reasons[0] == "token for ticket 1042: the signature is wrong (in To): counts as no proof"


def test_what_looks_like_ours_at_another_domain_is_nobodys_forgery() -> None:
    found = clues(To="list+t1042.c5.kaaaaaaaaaaaaaaaaaaaaaaaaaa@elsewhere.example")

    assert found == Clues()


@pytest.mark.parametrize(
    "header",
    [
        "<{0}>",
        "{0}",
        "<{0}",
        "<first@customer.example> <{0}>",
        "<first@customer.example><{0}>",
        "first@customer.example,{0}",
        "<first@customer.example>\r\n\t<{0}>",
        "<{1}\r\n {2}>",
        "Your message of Tuesday <{0}>",
    ],
)
@pytest.mark.parametrize("name", ["In_Reply_To", "References", "X_Forwarded_Message_Id"])
def test_our_message_id_is_found_in_damaged_references(name: str, header: str) -> None:
    whole = own_id()
    found = verdict(clues("Hello", **{name: header.format(whole, whole[:20], whole[20:])}))

    assert (found.ticket_id, found.proof, found.role) == (1042, "signed", None)
    assert found.reasons == ("our own Message-ID among its references: ticket 1042",)


@pytest.mark.parametrize("name", ["In_Reply_To", "References", "X_Forwarded_Message_Id"])
def test_our_message_id_is_found_wherever_it_was_folded(name: str) -> None:
    whole = own_id()
    for at in range(1, len(whole)):
        found = verdict(clues(**{name: f"<first@customer.example>\r\n <{whole[:at]}\r\n {whole[at:]}>"}))

        assert (found.ticket_id, found.proof) == (1042, "signed"), at


def test_our_message_id_is_believed_without_its_domain_which_was_cut_off() -> None:
    found = verdict(clues(References=f"<first@customer.example> <{own_id().partition('@')[0]}"))

    assert found.ticket_id == 1042


def test_a_message_id_like_ours_that_we_did_not_make_is_recorded() -> None:
    found = verdict(clues(In_Reply_To=f"<{own_id().replace('m1042', 'm1043')}>"))

    assert found.ticket_id is None
    assert found.reasons[0].startswith("Message-ID for ticket 1043: the signature is wrong")


def test_stored_references_lead_to_their_ticket_newest_first() -> None:
    known = replace(KNOWN, message_ids={"old@customer.example": 7, "new@customer.example": 1042})
    found = clues(References="<old@customer.example> <new@customer.example>", In_Reply_To="<unknown@customer.example>")

    assert found.message_ids == ("unknown@customer.example", "new@customer.example", "old@customer.example")
    decided = verdict(found, known)
    assert (decided.ticket_id, decided.proof, decided.related) == (1042, "stored", (7,))
    assert (
        "a stored Message-ID among its references: ticket 7, which is older or weaker: related only" in decided.reasons
    )


def test_a_stranger_with_a_stored_reference_is_third_party() -> None:
    known = replace(KNOWN, message_ids={"new@customer.example": 1042})
    found = verdict(clues(In_Reply_To="<new@customer.example>"), known, EVE)

    assert found.ticket_id == 1042
    assert found.third_party
    assert "the sender takes no part in the ticket: third-party" in found.reasons


def test_a_stranger_with_a_signed_address_is_third_party() -> None:
    assert verdict(clues(To=reply_to()), sender=EVE).third_party


def test_a_sender_known_to_be_false_is_third_party_unless_something_signed_speaks_for_him() -> None:
    known = replace(KNOWN, message_ids={"new@customer.example": 1042})

    assert verdict(clues(In_Reply_To="<new@customer.example>"), known, trust=Trust.FAIL).third_party
    assert not verdict(clues(To=reply_to()), known, trust=Trust.FAIL).third_party


def test_signed_beats_stored_and_stored_beats_claimed() -> None:
    known = replace(KNOWN, message_ids={"new@customer.example": 7})
    found = clues(f"> write to {reply_to(1042)}", In_Reply_To="<new@customer.example>", Subject="Re: [#8] Printer")

    decided = verdict(found, known)
    assert (decided.ticket_id, decided.proof, decided.related) == (1042, "signed", (7, 8))
    decided = verdict(replace(found, signed=()), replace(known, tickets={**KNOWN.tickets, 8: KnownTicket(HERS)}))
    assert (decided.ticket_id, decided.proof, decided.related) == (7, "stored", (8,))


def test_of_two_signed_proofs_the_newest_reference_wins() -> None:
    found = clues(
        f"> {reply_to(8)}",
        To=reply_to(7, Role.SOLVED),
        In_Reply_To=f"<{own_id(1042)}>",
        References=f"<{own_id(8)}> <{own_id(1042)}>",
    )

    decided = verdict(found)
    assert (decided.ticket_id, decided.proof, decided.related) == (1042, "signed", (8, 7))
    assert decided.role is None  # it was made for another ticket


def test_the_role_comes_from_the_recipients_alone() -> None:
    body = verdict(clues(f"mailto:{reply_to(1042, Role.SOLVED)}"))

    assert (body.ticket_id, body.role, body.address_id) == (1042, None, 0)


@pytest.mark.parametrize(
    ("roles", "first"),
    [
        ((Role.AGENT, Role.NOTE), Role.NOTE),
        ((Role.CUSTOMER, Role.AGENT), Role.AGENT),
        ((Role.SOLVED, Role.PROBLEM), Role.PROBLEM),
        ((Role.CUSTOMER, Role.SOLVED), Role.SOLVED),
        ((Role.THREAD, Role.CUSTOMER), Role.CUSTOMER),
    ],
)
def test_of_several_roles_on_one_ticket_the_careful_one_counts(roles: tuple[Role, Role], first: Role) -> None:
    for one, other in (roles, roles[::-1]):
        found = verdict(clues(To=reply_to(role=one), Cc=reply_to(role=other)))

        assert found.role is first


@pytest.mark.parametrize(
    "written",
    [
        "> Reply to {address}",
        '> <a href="mailto:{quoted}?subject=solved">solved</a>',
        "mailto:support%2B{signed}%40acme.example",
        "mailto:support=2B{signed}=40acme.example",
        "> > support+{start}\r\n> > {end}@acme.example",
        "> support+t10\r\n> 42.{behind}",
        "> support+t1042.=\r\n{behind}",
        "| support+{start}=\r\n| {end}@acme.example",
        "SUPPORT+{upper}@ACME.EXAMPLE",
        "({signed})",
    ],
)
def test_a_token_in_the_body_survives_quoting(written: str) -> None:
    token = signed()
    body = written.format(
        address=reply_to(),
        quoted=reply_to().replace("+", "%2B"),
        signed=token,
        start=token[:25],
        end=token[25:],
        behind=token[6:],
        upper=token.upper(),
    )
    found = verdict(clues(body))

    assert (found.ticket_id, found.proof) == (1042, "signed")
    assert found.reasons == ("signed token in the body: ticket 1042",)


@pytest.mark.parametrize("line_end", ["\r\n", "\r\n> ", "\r\n> > | ", "=\r\n", "=\r\n> ", "\r\n\r\n"])
def test_a_token_in_the_body_is_found_wherever_it_was_wrapped(line_end: str) -> None:
    for written in (signed(), signed().upper(), signed().replace(".", "%2E"), signed().replace(".", "=2e")):
        for at in (at for at in range(1, len(written)) if written[at - 1] != "="):  # at a line's end that is no dot
            found = verdict(clues(f"I quote: support+{written[:at]}{line_end}{written[at:]}@acme.example"))

            assert (found.ticket_id, found.proof) == (1042, "signed"), (written, at)


def test_a_token_in_a_link_of_the_html_is_found() -> None:
    found = clues(
        f'<p>Thanks</p><a href="mailto:{reply_to().replace("+", "%2B")}?subject=Re">reply</a>',
        Content_Type="text/html; charset=utf-8",
    )

    assert verdict(found).ticket_id == 1042


def test_a_token_that_only_the_html_half_of_a_mail_shows_is_found() -> None:
    body = "\r\n".join(
        [
            "--b",
            "Content-Type: text/plain",
            "",
            "Thanks",
            "--b",
            "Content-Type: text/html",
            "",
            f'<p>Thanks</p><blockquote><a href="mailto:{reply_to()}">reply</a></blockquote>',
            "--b--",
        ]
    )

    assert verdict(clues(body, Content_Type="multipart/alternative; boundary=b")).ticket_id == 1042


@pytest.mark.parametrize(
    "subject",
    [
        "[#1042] Printer",
        "Re: [#1042] Printer",
        "AW: SV: Odp: [#1042] Printer",
        "[External] 回复：[#1042] Printer",
        "Printer [#1042]",
        "=?utf-8?q?Re:_=5B#1042=5D_Dr=C3=BCcker?=",
    ],
)
def test_a_subject_tag_leads_a_participant_to_his_ticket_and_nobody_else(subject: str) -> None:
    found = clues(Subject=subject)

    hers = verdict(found)
    assert (hers.ticket_id, hers.proof, hers.third_party) == (1042, "claimed", False)
    stranger = verdict(found, sender=EVE)
    assert (stranger.ticket_id, stranger.related) == (None, (1042,))
    assert stranger.reasons[0] == "subject tag: ticket 1042, but the sender takes no part in it: related only"
    failed = verdict(found, trust=Trust.FAIL)
    assert (failed.ticket_id, failed.related) == (None, (1042,))


def test_ten_thousand_guessed_tags_lead_a_stranger_nowhere() -> None:
    known = Known(tickets={number: KnownTicket(HERS) for number in range(1, 10_001)})

    for number in range(1, 10_001):
        found = judge(Clues(tags=(number,)), known, EVE, Trust.PASS)
        assert (found.ticket_id, found.role) == (None, None)


def test_a_thread_index_leads_a_participant_to_the_conversation() -> None:
    index = b64encode(bytes(range(22))).decode()
    answer = b64encode(bytes(range(22)) + b"12345").decode()
    known = replace(KNOWN, thread_indexes={conversation(index): 1042})
    found = clues(Thread_Index=answer[:20] + "\r\n " + answer[20:])

    assert found.thread_indexes == (conversation(index),)
    assert verdict(found, known).ticket_id == 1042
    assert verdict(found, known).proof == "claimed"
    assert verdict(found, known, EVE).ticket_id is None
    assert verdict(found, known, EVE).related == (1042,)


@pytest.mark.parametrize("index", ["", "short", "no base64 at all, but long enough to be one", "ä" * 40, "=" * 40])
def test_what_is_no_thread_index_names_no_conversation(index: str) -> None:
    assert conversation(index) == ""


def test_merged_tickets_are_followed_and_contradict_nothing() -> None:
    known = Known(tickets={1: KnownTicket(HERS, 2), 2: KnownTicket(HERS, 3), 3: KnownTicket(HERS)})
    found = verdict(clues(To=reply_to(1), In_Reply_To=f"<{own_id(3)}>"), known)

    assert (found.ticket_id, found.related, found.role) == (3, (), Role.CUSTOMER)
    assert "signed reply address in To: ticket 1, merged into 3" in found.reasons


def test_a_ring_of_mergers_ends() -> None:
    known = Known(tickets={1: KnownTicket(HERS, 2), 2: KnownTicket(HERS, 3), 3: KnownTicket(HERS, 2)})

    assert {verdict(clues(To=reply_to(number)), known).ticket_id for number in (1, 2, 3)} == {2}


def test_a_proof_for_a_ticket_that_is_gone_opens_a_new_one_and_says_so() -> None:
    found = verdict(clues(To=reply_to(99)))

    assert found.ticket_id is None
    assert found.reasons[0] == "signed reply address in To names ticket 99, which does not exist"


def test_what_must_be_looked_up_is_said() -> None:
    found = clues(
        f"> {reply_to(8)}", To=reply_to(7), References=f"<{own_id(1)}> <a@b.example>", Subject="[#3] [#4] [#3] x"
    )

    assert found.ticket_ids == (1, 7, 8, 3, 4)
    assert found.message_ids == ("a@b.example",)


headers = st.dictionaries(
    st.sampled_from(["To", "Cc", "In_Reply_To", "References", "Subject", "Thread_Index", "Delivered_To"]),
    st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",))),
)


@settings(max_examples=200)
@given(headers, st.text(), st.sampled_from(Trust), st.sampled_from([ADA, EVE, "", "nobody"]))
def test_no_mail_without_our_signature_proves_anything(
    heads: dict[str, str], body: str, trust: Trust, sender: str
) -> None:
    found = verdict(clues(body.encode(errors="replace").decode(), **heads), sender=sender, trust=trust)

    assert found.role is None
    assert found.proof in {None, "claimed"}
    assert sender == ADA or found.ticket_id is None


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of the shortest of three runs: a busy machine adds none to it."""
    runs = []
    for _ in range(3):
        began_at = process_time()
        work()
        runs.append(process_time() - began_at)
    return min(runs)


@pytest.mark.parametrize(
    "piece",
    [
        "t1.c1.",
        "=\n",
        "=\r\n>",
        "==\n",
        "=\n2\n",
        ".\n",
        "%\n|",
        "t1",
        "t%2e",
        "t1.c1. \n> ",
        f"support+{'t1042.c7.k' + 'a' * 20}\n",
        "m1.a.",
        "m1.a",
        "<a@b> ",
        "[#1] ",
        "Re: ",
    ],
)
def test_a_hostile_mail_costs_time_in_proportion_to_its_size(piece: str) -> None:
    def search(size: int) -> float:
        text = (piece * (size // len(piece))).encode()
        head = b"".join(b"%s: %s\r\n" % (name, text[:50_000]) for name in (b"References", b"Subject", b"Delivered-To"))
        message = parse(head + b"\r\n" + text)
        _ = message.text, message.html, message.references
        return seconds(lambda: collect(message, [], KEYS, OURS))

    once, twice = search(1 << 19), search(1 << 20)
    assert twice < 3 * once or twice < 0.1
