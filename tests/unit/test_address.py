"""Which addresses are one mailbox, and which maild writes to."""

import pytest

from maild.message.address import normalise, spelled, valid


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("Ada@Customer.EXAMPLE", "ada@customer.example"),
        (" <ada@customer.example.> ", "ada@customer.example"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ('"ada"@customer.example', "ada@customer.example"),
        ("j\u006f\u0308rg@x.example", "j\u00f6rg@x.example"),
        ("no address", "no address"),
        ("ada@FA\u1e9e.example", "ada@xn--fa-hia.example"),
        ("ada@\u03b2\u03cc\u03bb\u03bf\u03c2.example", "ada@xn--nxasmm1c.example"),
        ("ada@m\u00fcller.fa\u00df.example", "ada@xn--mller-kva.xn--fa-hia.example"),
    ],
)
def test_addresses_that_are_one_mailbox_compare_equal(one: str, same: str) -> None:
    assert normalise(one) == same
    assert normalise(normalise(one)) == normalise(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@fa\u00df.example", "ada@fass.example"),  # RFC 5892 2.6: two domains, of two owners
        ("ada@\u03b2\u03cc\u03bb\u03bf\u03c2.example", "ada@\u03b2\u03cc\u03bb\u03bf\u03c3.example"),
        ("\u017fupport@acme.example", "support@acme.example"),
        ("\ufb01n@customer.example", "fin@customer.example"),
        ("stra\u00dfe@customer.example", "strasse@customer.example"),
    ],
)
def test_addresses_that_only_look_alike_are_two_mailboxes(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("Ada@Customer.EXAMPLE", "Ada@Customer.EXAMPLE"),
        ("ada@customer.example.", "ada@customer.example"),
        ('"ada"@customer.example', "ada@customer.example"),
        ("ada@customer\u00ad.example", "ada@customer.example"),
        ("mi\u212ae@customer.example", "miKe@customer.example"),
        ('"a da"@customer.example', '"a da"@customer.example'),
        ("nobody", "nobody"),
    ],
)
def test_an_address_is_spelled_as_mail_can_be_sent_to_it(written: str, spelling: str) -> None:
    assert spelled(written) == spelling
    assert normalise(spelled(written)) == normalise(written)


@pytest.mark.parametrize(
    "address",
    [
        "ada@customer.example",
        "a.b+c=d%e@x-y.example",
        "jörg@bücher.example",
        "ada@localhost",
        "用户@例え.example",
        "o'neil@x.example",
    ],
)
def test_ordinary_and_international_addresses_may_be_written_to(address: str) -> None:
    assert valid(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@customer.example",
        "ada@",
        "ada@b@customer.example",
        ".ada@customer.example",
        "ada.@customer.example",
        "a..da@customer.example",
        "a da@customer.example",
        "ada@customer example",
        "ada@customer.example\r\nBcc: eve@x.example",
        "ada\x00@customer.example",
        "ada\u202e@customer.example",
        "ada\u200b@customer.example",
        "ada\u2028@customer.example",
        "ada@customer..example",
        "ada@customer.example.",
        "ada@-customer.example",
        "ada@[127.0.0.1]",
        '"a da"@customer.example',
        "ada(comment)@customer.example",
        "ada,eve@customer.example",
        "a" * 65 + "@customer.example",
        "ada@" + "a" * 64 + ".example",
        "ada@" + "a.example." * 30 + "example",
        "ada\udcff@customer.example",
    ],
)
def test_addresses_that_could_break_a_header_or_a_dialogue_are_refused(address: str) -> None:
    assert not valid(address)
