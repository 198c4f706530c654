"""What the standard library writes into a mail is read from it: names, subjects, texts and files in any script."""

import email.policy
import unicodedata
from email.header import Header
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maild.message.parse import parse

# Signs that a person types: no controls, no surrogates, no bidi overrides, no private or unassigned ones.
LETTERS = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
LINE = st.text(LETTERS, min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(bool)
# Beside an encoded word the library writes these bare, and there they end a name or begin a group (RFC 5322 3.4).
NAME = LINE.filter(lambda name: not set(":;,<>()[]@\\") & set(name) or name.isascii())
FILE_NAME = st.text(LETTERS, min_size=1, max_size=40).filter(
    lambda name: (
        not set('/\\"~') & set(name)
        and name[1:2] != ":"
        and name == " ".join(name.split())
        and name.strip(". ") == name
    )
)
TEXTS = {
    "iso-8859-1": "Größe, façade, señor",
    "iso-8859-2": "Dobrý den, tiskárna nám nefunguje, prosíme o pomoc",
    "iso-8859-7": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "windows-1251": "Съешь же ещё этих мягких французских булок",
    "koi8-r": "Съешь же ещё этих мягких французских булок",
    "shift_jis": "お世話になっております。プリンタが動きません",
    "iso-2022-jp": "お世話になっております。プリンタが動きません",
    "euc-jp": "お世話になっております。プリンタが動きません",
    "gb2312": "打印机着火了，请马上来",
    "gb18030": "打印機著火了，请马上来",
    "big5": "印表機著火了，請馬上來",
    "euc-kr": "프린터에 불이 났어요",
    "utf-8": "Всё 印刷 🔥 ünïcödé",
}


@given(LINE, NAME, LINE)
@settings(max_examples=150, deadline=None)
def test_subject_and_name_come_back_as_they_were_written(subject: str, name: str, text: str) -> None:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = str(Header(subject, "utf-8"))
    mail["From"] = formataddr((str(Header(name, "utf-8")), "ada@customer.example"))
    mail.set_content(text, charset="utf-8", cte="base64")

    message = parse(mail.as_bytes())

    assert message.subject == subject
    assert message.text.rstrip("\n") == text
    assert message.from_ is not None
    assert message.from_.address == "ada@customer.example"
    # Where the library folds a name between two encoded words it loses the space there (RFC 2047 6.2).
    assert "".join(message.from_.name.strip("\"'").split()) == "".join(name.strip("\"'").split())


@given(st.lists(st.tuples(FILE_NAME, st.binary(max_size=200)), min_size=1, max_size=4), LINE, LINE)
@settings(max_examples=100, deadline=None)
def test_files_come_back_with_name_and_bytes(files: list[tuple[str, bytes]], text: str, rich: str) -> None:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail.set_content(text, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(f"<p>{rich}</p>", subtype="html", charset="utf-8", cte="base64")
    for name, content in files:
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)

    message = parse(mail.as_bytes())

    assert message.text.rstrip("\n") == text
    assert message.html.rstrip("\n") == f"<p>{rich}</p>"
    assert [attachment.content() for attachment in message.attachments] == [content for _, content in files]
    # a name comes back whole but for what makes it unsafe
    for attachment, (name, _) in zip(message.attachments, files, strict=True):
        assert attachment.name.removeprefix("_") == unicodedata.normalize("NFC", name).removeprefix("_")


@pytest.mark.parametrize("charset", TEXTS)
@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_texts_come_back_in_each_charset(charset: str, subtype: str) -> None:
    text = TEXTS[charset]
    mail = MIMEMultipart("alternative")
    mail["Subject"] = Header(text, charset).encode()
    mail["From"] = formataddr((Header(text, charset).encode(), "ada@customer.example"))
    mail.attach(MIMEText(text, subtype, charset))

    message = parse(mail.as_bytes())

    assert message.subject == text
    assert message.text.strip() == text
    assert message.froms[0].name == text
    assert not [defect for defect in message.defects if defect.startswith("charset")]


@pytest.mark.parametrize("charset", [name for name in TEXTS if name != "iso-8859-1"])
def test_texts_without_a_charset_are_recognised(charset: str) -> None:
    text = (TEXTS[charset] + ".\n") * 4

    message = parse(b"From: a@b.example\nSubject: x\n\n" + text.encode(charset))

    assert message.text == text
