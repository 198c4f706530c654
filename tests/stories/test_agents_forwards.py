"""What agents pass on from the mail programs of browsers and telephones, in HTML alone and with pictures."""

import base64

import pytest

from tests.stories.driver import ADA, ANNA, BERT, Desk

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(40)
IMAGE = '<img src="cid:ii_1" alt="image.png" width="10" height="10">'
HTML = {
    "Gmail in a browser": (
        '<div dir="ltr">Bert, she is new.<br><br><div class="gmail_quote gmail_quote_container">'
        '<div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>From: '
        '<strong class="gmail_sendername" dir="auto">Ada Lovelace</strong> <span dir="auto">&lt;'
        '<a href="mailto:ada@customer.example">ada@customer.example</a>&gt;</span><br>'
        "Date: Mon, Mar 2, 2026 at 10:00 AM<br>Subject: Printer on fire<br>To:  &lt;"
        '<a href="mailto:anna@acme.example">anna@acme.example</a>&gt;<br></div><br><br><div dir="ltr">'
        "The printer burns.IMG</div></div></div>"
    ),
    "Outlook in a browser": (
        '<html><body><div class="elementToProof" style="font-family: Aptos;">Bert, she is new.</div>'
        '<div id="appendonsend"></div><hr style="display:inline-block;width:98%" tabindex="-1">'
        '<div id="divRplyFwdMsg" dir="ltr">'
        '<font face="Calibri, sans-serif" style="font-size:11pt" color="#000000"><b>From:</b>'
        " Ada Lovelace &lt;ada@customer.example&gt;<br><b>Sent:</b> Monday, March 2, 2026 10:00 AM<br><b>To:"
        "</b> Anna &lt;anna@acme.example&gt;<br><b>Subject:</b> Printer on fire</font><div>&nbsp;</div></div>"
        "<div><p>The printer burns.</p>IMG</div></body></html>"
    ),
    "Outlook": (
        '<html><body><div class="WordSection1"><p class="MsoNormal">Bert, she is new.</p>'
        '<p class="MsoNormal">&nbsp;</p><div>'
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
        '<p class="MsoNormal"><b>From:</b> Ada Lovelace &lt;ada@customer.example&gt; <br><b>Sent:</b>'
        " Monday, March 2, 2026 10:00 AM<br><b>To:</b> Anna &lt;anna@acme.example&gt;<br><b>Subject:</b>"
        ' Printer on fire</p></div></div><p class="MsoNormal">The printer burns.IMG</p></div></body></html>'
    ),
    "Apple Mail": (
        '<html><body>Bert, she is new.<br><div><br><blockquote type="cite"><div>Begin forwarded message:'
        '</div><br class="Apple-interchange-newline"><div style="margin:0"><span><b>From: </b></span><span>'
        'Ada Lovelace &lt;<a href="mailto:ada@customer.example">ada@customer.example</a>&gt;<br></span></div>'
        "<div><span><b>Subject: </b></span><span><b>Printer on fire</b><br></span></div><div><span><b>Date: "
        "</b></span><span>2 March 2026 at 10:00:00 CET<br></span></div><div><span><b>To: </b></span><span>"
        "Anna &lt;anna@acme.example&gt;<br></span></div><br><div>The printer burns.IMG</div></blockquote>"
        "</div></body></html>"
    ),
    "an iPhone": (
        '<html><body dir="auto">Bert, she is new.<br><br><div dir="ltr">Sent from my iPhone</div>'
        '<div dir="ltr"><br>Begin forwarded message:<br><br></div><blockquote type="cite"><div dir="ltr"><b>'
        "From:</b> Ada Lovelace &lt;ada@customer.example&gt;<br><b>Date:</b>"
        " March 2, 2026 at 10:00:00 AM GMT+1<br><b>To:</b> Anna &lt;anna@acme.example&gt;<br><b>Subject:</b> "
        '<b>Printer on fire</b><br><br></div></blockquote><blockquote type="cite"><div dir="ltr">'
        "The printer burns.IMG</div></blockquote></body></html>"
    ),
    "Gmail for Android": (
        '<div dir="auto">Bert, she is new.</div><br><div class="gmail_quote">'
        '<div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>From: '
        '<strong class="gmail_sendername" dir="auto">Ada Lovelace</strong> <span dir="auto">'
        "&lt;ada@customer.example&gt;</span><br>Date: Mon, 2 Mar 2026, 10:00<br>Subject: Printer on fire<br>"
        "To: Anna &lt;anna@acme.example&gt;<br></div><br><br>The printer burns.IMG</div>"
    ),
}
TEXT = {
    "an iPhone": """Bert, she is new.

Sent from my iPhone

Begin forwarded message:

> From: Ada Lovelace <ada@customer.example>
> Date: March 2, 2026 at 10:00:00 AM GMT+1
> To: Anna <anna@acme.example>
> Subject: Printer on fire
>
> \ufeffThe printer burns.
""",
    "Gmail for Android": """Bert, she is new.

---------- Forwarded message ---------
From: Ada Lovelace <ada@customer.example>
Date: Mon, 2 Mar 2026, 10:00
Subject: Printer on fire
To: Anna <anna@acme.example>


The printer burns.
""",
    "a Galaxy": """Bert, she is new.



Sent from my Galaxy


-------- Original message --------
From: Ada Lovelace <ada@customer.example>
Date: 3/2/26 10:00 (GMT+01:00)
To: Anna <anna@acme.example>
Subject: Printer on fire

The printer burns.
""",
}


def forward(desk: Desk, kind: str, body: str) -> None:
    headers = f"MIME-Version: 1.0\nContent-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: 8bit"
    desk.mail(ANNA, "Fwd: Printer on fire", body.replace("\n", "\r\n"), proven=True, headers=headers)


def is_adas_ticket(desk: Desk) -> None:
    assert desk.tickets() == [1]
    assert desk.ticket(1).subject == "Printer on fire"
    assert desk.mails_to(ADA) == []
    [told] = desk.mails_to(BERT)
    assert "Ada Lovelace <ada@customer.example> wrote:" in told.text
    said = told.text.partition("wrote:")[2]
    assert said.lstrip("> \n").startswith("The printer burns.")
    # A note of Anna's, without rule, nor what the telephone signs with
    assert "Anna passed this message on, and noted internally:\n\nBert, she is new.\n\n" in told.text
    done = next(each for each in desk.mails_to(ANNA) if "Done:" in each.text)
    assert "New ticket for: ada@customer.example" in done.text


@pytest.mark.parametrize("program", HTML)
def test_a_forward_that_has_html_alone_is_the_customers_ticket(desk: Desk, program: str) -> None:
    forward(desk, "html", HTML[program].replace("IMG", ""))

    is_adas_ticket(desk)


@pytest.mark.parametrize("program", TEXT)
def test_a_telephones_forward_is_the_customers_ticket(desk: Desk, program: str) -> None:
    forward(desk, "plain", TEXT[program])

    is_adas_ticket(desk)


@pytest.mark.parametrize("program", HTML)
def test_the_pictures_of_what_is_passed_on_come_along(desk: Desk, program: str) -> None:
    body = (
        f"--r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{HTML[program].replace('IMG', IMAGE)}\r\n"
        '--r\r\nContent-Type: image/png; name="image.png"\r\nContent-Disposition: inline; filename="image.png"\r\n'
        "Content-ID: <ii_1>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.b64encode(PICTURE).decode()}\r\n--r--\r\n"
    )
    headers = "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=r"
    desk.mail(ANNA, "Fwd: Printer on fire", body, proven=True, headers=headers)

    told = desk.mails_to(BERT)[0]
    assert "The printer burns." in told.text
    assert [each.content() for each in told.message.attachments if each.content_type == "image/png"] == [PICTURE]
