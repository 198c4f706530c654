"""What we compose, we read back ourselves: our own mails return to us, quoted, bounced and forwarded."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from maild.message.address import Address
from maild.message.compose import Automatic, File, clean, clean_filename, compose, for_recipient
from maild.message.parse import parse
from tests.unit.drafts import DRAFT, WORDS

BODY = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n =.Fä")).map(
    "Hi, {}".format  # of a blank text our reader makes one from the HTML
)


def shown(words: str, limit: int = 400) -> str:
    """What is sent, as a reader that makes every white space a space shows it."""
    return " ".join(clean(words, limit).split())


@given(WORDS, WORDS)
@example("Re: Grüße aus München " * 9, "漢" * 128)
@example("=?utf-8?q?hi=0ABcc:_x@y.z?=", '"Ada" <eve@evil.example>, x')
def test_subject_and_names_are_read_as_they_were_cleaned(subject: str, name: str) -> None:
    people = (Address(name, "ada@customer.example"), Address("", "bob@customer.example"))

    message = parse(compose(replace(DRAFT, subject=subject, from_=Address(name, "support@acme.example"), to=people)))

    assert message.subject == shown(subject)
    assert message.from_ == Address(shown(name, 128), "support@acme.example")
    assert message.to == (Address(shown(name, 128), "ada@customer.example"), people[1])
    assert message.defects == ()


@given(WORDS, WORDS, st.binary(max_size=200))
@example("../x 100%.pdf", "a" * 300, b"From x\r\n.\r\n")
def test_files_are_read_as_they_were_given(name: str, other: str, content: bytes) -> None:
    files = (File(name, "application/pdf", content), File(other, "image/png", content, "logo@x", inline=True))

    message = parse(compose(replace(DRAFT, html='<p><img src="cid:logo@x"></p>', files=files)))

    read = {each.content_type: each for each in message.attachments}
    assert read["application/pdf"].name == clean_filename(name)
    assert read["image/png"].name == clean_filename(other)
    assert read["image/png"].content_id == "logo@x"
    assert (read["image/png"].inline, read["application/pdf"].inline) == (True, False)
    assert {each.content() for each in message.attachments} == {content}
    assert message.defects == ()


@given(BODY, BODY)
def test_both_bodies_are_read_as_they_were_given(text: str, html: str) -> None:
    message = parse(compose(replace(DRAFT, text=text, html=html)))

    assert message.text.rstrip("\n") == text.rstrip("\n")
    assert message.html.replace("\r\n", "\n").rstrip("\n") == html.rstrip("\n")
    assert message.attachments == ()


def test_what_a_thread_hangs_on_is_read_as_it_was_written() -> None:
    draft = replace(DRAFT, in_reply_to="b@x", references=("a@x", "b@x"), automatic=Automatic.REPLIED)

    message = parse(for_recipient(compose(draft), "support+t1.c7.k2@acme.example"))

    assert message.message_id == DRAFT.message_id
    assert (message.in_reply_to, message.references) == (("b@x",), ("a@x", "b@x"))
    assert message.reply_to == (Address("", "support+t1.c7.k2@acme.example"),)
    assert message.date == DRAFT.date
    assert message.header("auto-submitted") == "auto-replied"
