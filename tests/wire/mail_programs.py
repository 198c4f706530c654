"""Writes replies as the mail programs of the world do, by the standard library: how each quotes, encodes and arranges.

The structures are modelled on mails that such programs wrote; all words are ours. A program quotes what its user got,
headers, text and markup, so whatever is in the mails of the desk comes back here as it does in life.
"""

import html as entities
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from typing import Final

PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
PDF: Final = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


@dataclass(frozen=True)
class Writing:
    """What somebody writes, and what he answers."""

    me: str  # name and address
    got: EmailMessage  # as it came
    words: tuple[str, ...] = ()  # on top
    says: tuple[str, ...] = ("Please pull the plug.", "Then wait a minute.")
    bold: str = "a minute"
    signed: str = ""  # his signature
    picture: bool = False  # within the text
    file: bool = False

    @property
    def name(self) -> str:
        return parseaddr(self.me)[0]

    @property
    def sender(self) -> tuple[str, str]:
        return parseaddr(str(self.got["From"]))

    @property
    def lines(self) -> tuple[str, ...]:
        return (*self.words, *self.says)

    @property
    def marked(self) -> list[str]:
        """The lines as markup, one word bold."""
        return [entities.escape(line).replace(self.bold, f"<b>{self.bold}</b>") for line in self.lines]

    @property
    def quoted(self) -> str:
        body = self.got.get_body(("plain",))
        return "" if body is None else body.get_content().replace("\r\n", "\n").rstrip("\n")

    @property
    def quoted_markup(self) -> str:
        """The markup that was got, as programs take it over: without the head."""
        body = self.got.get_body(("html",))
        if body is None:
            return f"<pre>{entities.escape(self.quoted)}</pre>"
        source = body.get_content()
        source = re.sub(r"(?is)<!doctype[^>]*>|<head.*?</head>|</?html[^>]*>", "", source)
        return re.sub(r"(?i)<(/?)body[^>]*>", r"<\1div>", source)


Program = Callable[[Writing], EmailMessage]


def _reply(each: Writing, program: str = "") -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = each.me
    mail["To"] = str(each.got["Reply-To"] or each.got["From"])
    subject = str(each.got["Subject"])
    mail["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    mail["Date"] = formatdate(time.time(), localtime=True)
    mail["Message-ID"] = make_msgid(domain="client.example")
    mail["In-Reply-To"] = str(each.got["Message-ID"])
    mail["References"] = " ".join(
        filter(None, ["".join(str(each.got["References"] or "").splitlines()), str(each.got["Message-ID"])])
    )
    if program:
        mail["X-Mailer"] = program
    return mail


def _arrange(mail: EmailMessage, each: Writing, text: str, markup: str, *, beside_markup: bool = False) -> EmailMessage:
    """Give a mail its parts; `beside_markup`: the picture is beside the markup, as Apple has it."""
    body = mail if beside_markup or not each.picture else EmailMessage(policy=SMTP)
    body.set_content(text, cte="quoted-printable")
    body.add_alternative(markup, subtype="html", cte="quoted-printable")
    if each.picture and beside_markup:
        body.get_payload()[1].add_related(PNG, "image", "png", cid=_CID, filename="image001.png", disposition="inline")
    elif each.picture:
        mail.add_header("Content-Type", "multipart/related", type="multipart/alternative")
        mail.add_header("MIME-Version", "1.0")
        picture = EmailMessage(policy=SMTP)
        picture.set_content(PNG, "image", "png", cid=_CID, filename="image001.png", disposition="inline")
        mail.set_payload([body, picture])
    if each.file:
        mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="Anleitung für Drucker.pdf")
    return mail


_CID: Final = "<picture@client.example>"
_PICTURE: Final = '<img src="cid:picture@client.example" width="40" alt="image001.png">'


def _above(each: Writing, picture: str = "[image: image001.png]") -> str:
    return (
        "\n".join(each.words)
        + ("\n\n" if each.words else "")
        + "\n\n".join(each.says)
        + (f"\n\n{picture}" if each.picture else "")
    )


def _marks(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def gmail(each: Writing) -> EmailMessage:
    """Gmail in a browser."""
    name, address = each.sender
    announced = f"On Mon, Nov 23, 2026 at 10:00 AM {name} <\n{address}> wrote:"
    signature = f"\n\n-- \n{each.signed}" if each.signed else ""
    text = f"{_above(each)}{signature}\n\n{announced}\n\n{_marks(each.quoted)}\n"
    new = "<div><br></div>".join(f"<div>{line}</div>" for line in each.marked)
    picture = f"<div>{_PICTURE}</div>" if each.picture else ""
    signed = (
        '<div><br clear="all"></div><div><br></div><span class="gmail_signature_prefix">-- </span><br>'
        f'<div dir="ltr" class="gmail_signature" data-smartmail="gmail_signature">'
        f'<div dir="ltr">{each.signed}</div></div>'
        if each.signed
        else ""
    )
    markup = (
        f'<div dir="ltr">{new}{picture}{signed}</div><br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">On Mon, Nov 23, 2026 at 10:00 AM {entities.escape(name)} '
        f'&lt;<a href="mailto:{address}">{address}</a>&gt; wrote:<br></div>'
        '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);'
        f'padding-left:1ex">{each.quoted_markup}</blockquote></div>'
    )
    return _arrange(_reply(each), each, text, markup)


def _head_lines(each: Writing) -> list[tuple[str, str]]:
    name, address = each.sender
    return [
        ("From", f"{name} <{address}>"),
        ("Sent", "Monday, November 23, 2026 10:00 AM"),
        ("To", str(each.got["To"])),
        ("Subject", str(each.got["Subject"])),
    ]


def outlook(each: Writing) -> EmailMessage:
    """Outlook for Windows, whose markup is Word's."""
    mail = _reply(each, "Microsoft Outlook 16.0")
    mail["Thread-Index"] = "AQGS8Q/tAInys2zh1Q1PzxxoCuE8VQL0vUp2"
    head = "\n".join(f"{name}: {value}" for name, value in _head_lines(each))
    signature = f"\n\n{each.signed}" if each.signed else ""
    text = f"{_above(each, '[cid:image001.png@01D9]')}{signature}\n\n{head}\n\n{each.quoted}\n"
    new = "".join(f"<p class=MsoNormal>{line}<o:p></o:p></p>\n" for line in each.marked)
    picture = f"<p class=MsoNormal>{_PICTURE}<o:p></o:p></p>" if each.picture else ""
    signed = f"<p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>{each.signed}<o:p></o:p></p>"
    shown = "<br>".join(f"<b>{name}:</b> {entities.escape(value)}" for name, value in _head_lines(each))
    markup = (
        '<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office"><head>'
        '<meta http-equiv=Content-Type content="text/html; charset=utf-8">'
        '<meta name=Generator content="Microsoft Word 15">'
        "<style><!--\n/* Style Definitions */\np.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt;}\n--></style>"
        '<!--[if gte mso 9]><xml><o:shapedefaults v:ext="edit" spidmax="1026"/></xml><![endif]--></head>'
        '<body lang=EN-US link="#0563C1" vlink="#954F72" style=\'word-wrap:break-word\'><div class=WordSection1>'
        f"{new}{picture}{signed if each.signed else ''}<p class=MsoNormal><o:p>&nbsp;</o:p></p><div>"
        "<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>"
        f"<p class=MsoNormal>{shown}<o:p></o:p></p></div></div><p class=MsoNormal><o:p>&nbsp;</o:p></p>"
        f"{each.quoted_markup}</div></body></html>"
    )
    return _arrange(mail, each, text, markup)


def outlook_web(each: Writing) -> EmailMessage:
    """Outlook in a browser, and the new one for Windows."""
    mail = _reply(each)
    mail["Thread-Topic"] = str(each.got["Subject"])
    mail["Thread-Index"] = "AQHZ8Q/tAInys2zh1Q1PzxxoCuE8VQL0vUp2"
    mail["X-MS-Has-Attach"] = "yes" if each.file else ""
    head = "\n".join(f"{name}: {value}" for name, value in _head_lines(each))
    signature = f"\n\n{each.signed}" if each.signed else ""
    rule = "_" * 32
    text = f"{_above(each, '[cid:picture@client.example]')}{signature}\n{rule}\n{head}\n\n{each.quoted}\n"
    style = "font-family: Aptos, Calibri, Helvetica, sans-serif; font-size: 12pt; color: rgb(0, 0, 0);"
    new = "".join(
        f'<div class="elementToProof" style="{style}">{line}</div><div class="elementToProof"><br></div>'
        for line in each.marked
    )
    picture = f'<div class="elementToProof" style="{style}">{_PICTURE}</div>' if each.picture else ""
    signed = f'<div id="Signature"><div style="{style}">{each.signed}</div></div>' if each.signed else ""
    shown = "<br>".join(f"<b>{name}:</b> {entities.escape(value)}" for name, value in _head_lines(each))
    markup = (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style type="text/css" '
        'style="display:none;"> P {margin-top:0;margin-bottom:0;} </style></head><body dir="ltr">'
        f'{new}{picture}{signed}<div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1">'
        '<div id="divRplyFwdMsg" dir="ltr"><font face="Calibri, sans-serif" style="font-size:11pt" color="#000000">'
        f"{shown}</font><div>&nbsp;</div></div><div>{each.quoted_markup}</div></body></html>"
    )
    return _arrange(mail, each, text, markup)


def apple(each: Writing) -> EmailMessage:
    """Apple Mail on a Mac."""
    mail = _reply(each, "Apple Mail (2.3826.200.121)")
    name, address = each.sender
    announced = f"On 23. Nov 2026, at 10:00, {name} <{address}> wrote:"
    signature = f"\n\n{each.signed}" if each.signed else ""
    text = f"{_above(each, '￼')}{signature}\n\n{_marks(f'{announced}{chr(10)}{chr(10)}{each.quoted}')}\n"
    new = "<div><br></div>".join(f"<div>{line}</div>" for line in each.marked)
    picture = f"<div>{_PICTURE}</div>" if each.picture else ""
    signed = (
        f'<br id="lineBreakAtBeginningOfSignature"><div><meta charset="UTF-8"><div>{each.signed}</div></div>'
        if each.signed
        else ""
    )
    markup = (
        '<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"></head><body '
        'style="overflow-wrap: break-word; -webkit-nbsp-mode: space; line-break: after-white-space;">'
        f'{new}{picture}{signed}<div><br><blockquote type="cite"><div>{entities.escape(announced)}</div>'
        f'<br class="Apple-interchange-newline"><div>{each.quoted_markup}</div></blockquote></div><br></body></html>'
    )
    return _arrange(mail, each, text, markup, beside_markup=True)


def thunderbird(each: Writing) -> EmailMessage:
    """Thunderbird, with markup and the signature below the quote's beginning."""
    mail = _reply(each)
    mail["User-Agent"] = "Mozilla Thunderbird"
    name, _ = each.sender
    announced = f"On 11/23/26 10:00, {name} wrote:"
    signature = f"\n\n-- \n{each.signed}" if each.signed else ""
    text = f"{_above(each)}\n\n{announced}\n{_marks(each.quoted)}{signature}\n"
    new = "".join(f"<p>{line}</p>\n" for line in each.marked)
    picture = f"<p>{_PICTURE}</p>" if each.picture else ""
    signed = f'<pre class="moz-signature" cols="72">-- \n{each.signed}</pre>' if each.signed else ""
    cite = str(each.got["Message-ID"]).strip("<>")
    markup = (
        '<!DOCTYPE html><html><head><meta http-equiv="Content-Type" content="text/html; charset=UTF-8"></head><body>'
        f'{new}{picture}<div class="moz-cite-prefix">{entities.escape(announced)}<br></div>'
        f'<blockquote type="cite" cite="mid:{cite}">{each.quoted_markup}</blockquote>{signed}</body></html>'
    )
    return _arrange(mail, each, text, markup)


def thunderbird_plain(each: Writing) -> EmailMessage:
    """Thunderbird without markup: format=flowed."""
    mail = _reply(each)
    mail["User-Agent"] = "Mozilla Thunderbird"
    name, _ = each.sender
    signature = f"\n\n-- \n{each.signed}" if each.signed else ""
    text = f"{_above(each)}\n\nOn 11/23/26 10:00, {name} wrote:\n{_marks(each.quoted)}{signature}\n"
    mail.set_content(text)
    mail.replace_header("Content-Type", 'text/plain; charset="utf-8"; format=flowed')
    if each.file:
        mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="Anleitung für Drucker.pdf")
    return mail


def yahoo(each: Writing) -> EmailMessage:
    """Yahoo Mail in a browser."""
    mail = _reply(each, "WebService/1.1.23737 YMailNorrin")
    name, address = each.sender
    announced = f"On Monday, November 23, 2026 at 10:00:00 AM GMT+1, {name} <{address}> wrote:"
    signature = f"\n\n{each.signed}" if each.signed else ""
    marked = "\n".join(f"  {line}" for line in each.quoted.split("\n"))
    text = f" {_above(each)}{signature}\n\n    {announced}  \n \n{marked}   "
    new = "".join(f'<div dir="ltr" data-setdir="false">{line}</div><div><br></div>' for line in each.marked)
    picture = f'<div dir="ltr" data-setdir="false">{_PICTURE}</div>' if each.picture else ""
    signed = f'<div class="ydp3fsignature"><div dir="ltr">{each.signed}</div></div>' if each.signed else ""
    markup = (
        '<html><head></head><body><div class="ydp35703879yahoo-style-wrap" style="font-family:Helvetica Neue, '
        f'Helvetica, Arial, sans-serif;font-size:16px;">{new}{picture}{signed}<div><br></div></div>'
        '<div id="ydp6a3a0a1dyahoo_quoted_7927373112" class="ydp6a3a0a1dyahoo_quoted"><div '
        "style=\"font-family:'Helvetica Neue', Helvetica, Arial, sans-serif;font-size:13px;color:#26282a;\">"
        f"<div>{entities.escape(announced)}</div><div><br></div><div><br></div>"
        f'<div><div id="ydp6a3a0a1dyiv8981252573">{each.quoted_markup}</div></div></div></div></body></html>'
    )
    return _arrange(mail, each, text, markup)


def iphone(each: Writing) -> EmailMessage:
    """Mail on an iPhone, which writes a signature of its own."""
    mail = _reply(each, "iPhone Mail (22H20)")
    name, address = each.sender
    announced = f"On Nov 23, 2026, at 10:00, {name} <{address}> wrote:"
    sent = each.signed or "Sent from my iPhone"
    text = f"{_above(each, '￼')}\n\n{sent}\n\n{_marks(f'{announced}{chr(10)}{chr(10)}{each.quoted}')}\n"
    new = "<div><br></div>".join(f"<div>{line}</div>" for line in each.marked)
    picture = f"<div>{_PICTURE}</div>" if each.picture else ""
    markup = (
        '<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"></head><body dir="auto">'
        f'{new}{picture}<br id="lineBreakAtBeginningOfSignature"><div dir="ltr">{sent}</div><div dir="ltr"><br>'
        f'<blockquote type="cite">{entities.escape(announced)}<br><br></blockquote></div><blockquote type="cite">'
        f'<div dir="ltr">\ufeff{each.quoted_markup}</div></blockquote></body></html>'
    )
    return _arrange(mail, each, text, markup, beside_markup=True)


def gmail_android(each: Writing) -> EmailMessage:
    """Gmail on an Android phone."""
    name, address = each.sender
    text = f"{_above(each)}\n\nOn Mon, 23 Nov 2026, 10:00 {name}, <{address}> wrote:\n\n{_marks(each.quoted)}\n"
    new = '<div dir="auto"><br></div>'.join(f'<div dir="auto">{line}</div>' for line in each.marked)
    picture = f'<div dir="auto">{_PICTURE}</div>' if each.picture else ""
    markup = (
        f'{new}{picture}<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, 23 Nov 2026, 10:00 '
        f'{entities.escape(name)}, &lt;<a href="mailto:{address}">{address}</a>&gt; wrote:<br></div><blockquote '
        f'class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid;padding-left:1ex">'
        f"{each.quoted_markup}</blockquote></div>"
    )
    return _arrange(_reply(each), each, text, markup)


def samsung(each: Writing) -> EmailMessage:
    """The mail program of Samsung's phones."""
    head = [("From", "{} <{}>".format(*each.sender)), ("Date", "11/23/26 10:00 (GMT+01:00)"), *_head_lines(each)[2:]]
    sent = each.signed or "Sent from my Galaxy"
    old = "\n".join(f"{name}: {value}" for name, value in head)
    text = f"{_above(each)}\n\n\n{sent}\n\n\n-------- Original message --------\n{old}\n\n{each.quoted}\n"
    new = '<div dir="auto"><br></div>'.join(f'<div dir="auto">{line}</div>' for line in each.marked)
    picture = f'<div dir="auto">{_PICTURE}</div>' if each.picture else ""
    shown = "".join(f"<div>{name}: {entities.escape(value)} </div>" for name, value in head)
    markup = (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=UTF-8"></head><body dir="auto">'
        f'{new}{picture}<div dir="auto"><br></div><div dir="auto"><br></div><div id="composer_signature" dir="auto">'
        f'<div style="font-size:14px;color:#505050" dir="auto">{sent}</div></div>'
        '<div dir="auto"><br></div><div><br></div>'
        '<div align="left" dir="auto" style="font-size:100%;color:#000000">'
        "<div>-------- Original message --------</div>"
        f"{shown}<div><br></div></div>{each.quoted_markup}</body></html>"
    )
    return _arrange(_reply(each), each, text, markup)


PROGRAMS: Final[dict[str, Program]] = {
    "Gmail": gmail,
    "Outlook": outlook,
    "Outlook on the web": outlook_web,
    "Apple Mail": apple,
    "Thunderbird": thunderbird,
    "Thunderbird, plain": thunderbird_plain,
    "Yahoo": yahoo,
    "iPhone": iphone,
    "Gmail on Android": gmail_android,
    "Samsung": samsung,
}
