"""The new text of mails that were written in HTML, as mail programs build them."""

import pytest

from maild.message.reply import Reply, new_text
from tests.unit.reading import mail

SAID = "<div>It is on.</div>"
ASKED = "<p>Dear Ada,</p><p>is it switched on?</p>"
HEADER = (
    "<b>From:</b> Acme Support &lt;support@acme.example&gt;<br><b>Sent:</b> Monday, November 2, 2026 10:00 AM<br>"
    "<b>To:</b> Ada<br><b>Subject:</b> Printer"
)
ATTRIBUTION = (
    'On Mon, Nov 2, 2026 at 10:00 AM Acme &lt;<a href="mailto:support@acme.example">'
    "support@acme.example</a>&gt; wrote:<br>"
)

CLIENTS = {
    "Gmail": f'<div dir="ltr">{SAID}</div><br><div class="gmail_quote gmail_quote_container"><div '
    'dir="ltr" class="gmail_attr">'
    f'{ATTRIBUTION}</div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{ASKED}</blockquote></div>',
    "Gmail of old": f'{SAID}<div class="gmail_extra"><br><div class="gmail_quote">{ATTRIBUTION}'
    f'<blockquote class="gmail_quote">{ASKED}</blockquote></div><br></div>',
    "Thunderbird": f'{SAID}<div class="moz-cite-prefix">Am 02.11.26 um 10:00 schrieb Acme:<br></div>'
    f'<blockquote type="cite" cite="mid:1@acme.example">{ASKED}</blockquote>',
    "Apple Mail": f'{SAID}<div><br><blockquote type="cite"><div>On 2 Nov 2026, at 10:00, Acme &lt;'
    "support@acme.example&gt; wrote:</div>"
    f'<br class="Apple-interchange-newline"><div>{ASKED}</div></blockquote></div>',
    "Outlook": '<div class="WordSection1"><p class="MsoNormal">It is on.<o:p></o:p></p><div><div '
    'style="border:none;border-top:solid '
    f'#E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">{HEADER}</p></div></div>'
    f'<p class="MsoNormal">&nbsp;</p>{ASKED}</div>',
    "Outlook in a language unknown": f'<div>{SAID}<div style="border:none;border-top:solid #E1E1E1 1.0pt">'
    f"<p><b>Xx:</b> Acme &lt;support@acme.example&gt;<br><b>Yy:</b> 2026<br><b>Zz:</b> Ada</p></div>{ASKED}</div>",
    "Outlook on the web": f'{SAID}<div id="appendonsend"></div><hr style="display:inline-block;width:98%" '
    'tabindex="-1">'
    f'<div id="divRplyFwdMsg" dir="ltr">{HEADER}<div>&nbsp;</div></div>{ASKED}',
    "Outlook 2003": f'{SAID}<div><div class=MsoNormal align=center><hr size=3 width="100%" align=center '
    "tabindex=-1></div>"
    f"<p class=MsoNormal>{HEADER}</p></div>{ASKED}",
    "Outlook for Mac": f'{SAID}<span id="OLK_SRC_BODY_SECTION"><div>{HEADER}</div><div>{ASKED}</div></span>',
    "Hotmail": (
        f'{SAID}<div><hr id="stopSpelling">Date: Mon, 2 Nov 2026 10:00:00 +0000<br>From: '
        f"support@acme.example<br>{ASKED}</div>"
    ),
    "Yahoo": f'{SAID}<div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, November 2, 2026 at '
    "10:00:00 AM GMT+1, Acme "
    f"&lt;support@acme.example&gt; wrote: </div>{ASKED}</div>",
    "Proton Mail": f'{SAID}<div class="protonmail_quote">On Monday, November 2nd, 2026 at 10:00, Acme &lt;'
    "support@acme.example&gt; wrote:<br>"
    f'<blockquote class="protonmail_quote" type="cite">{ASKED}</blockquote></div>',
    "Zimbra": (
        f'<div>It is on.<br><br><hr id="zwchr"><b>From: </b>support@acme.example<br><b>To: </b>ada<br>{ASKED}</div>'
    ),
    "Mail.ru": f"<p>It is on.</p><br>Понедельник, 2 ноября 2026, 10:00 +03:00 от Acme &lt;support@acme.example&gt;:<br>"
    f'<blockquote style="border-left:1px solid #0857A6">{ASKED}</blockquote>',
    "Yandex": '<p>It is on.<br /><br />02.11.2026, 10:00, "Acme" &lt;<a '
    'href="mailto:support@acme.example">support@acme.example</a>&gt;:'
    f"</p><blockquote>{ASKED}</blockquote>",
    "Windows Mail": f'<div>{SAID}<div style="padding-top: 5px; border-top-color: rgb(229, 229, 229); '
    "border-top-width: 1px; border-top-style: "
    f'solid;">{HEADER}</div><div>{ASKED}</div></div>',
    "an unknown one": f"{SAID}<div>Ada kirjoitti eilen</div><blockquote>{ASKED}</blockquote>",
}


def new(html: str, **more: str) -> Reply:
    return new_text(mail("", html=html, **more))


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "an unknown one"])
def test_the_quote_of_a_mail_program_goes_from_text_and_html(client: str) -> None:
    reply = new(f"<html><head><style>p {{margin: 0}}</style></head><body>{CLIENTS[client]}</body></html>")

    assert reply.text == "It is on."
    assert "It is on." in reply.html
    assert "switched" not in reply.html
    assert "support@acme.example" not in reply.html
    assert "is it switched on?" in reply.cut


def test_a_line_that_announces_nothing_known_stays_above_the_quote_that_goes() -> None:
    assert new(CLIENTS["an unknown one"]).text == "It is on.\nAda kirjoitti eilen"


@pytest.mark.parametrize("client", ["Outlook on the web", "Outlook", "Gmail"])
def test_the_html_decides_where_the_plain_text_shows_no_quote(client: str) -> None:
    message = mail("It is on.\n\nDear Ada,\n\nis it switched on?\n", html=CLIENTS[client])

    assert new_text(message).text == "It is on."


def test_the_html_is_cut_where_the_plain_text_was() -> None:
    message = mail("It is on.\n\nOn 2 Nov 2026 10:00, Acme wrote:\n> is it switched on?\n", html=CLIENTS["Gmail"])

    reply = new_text(message)

    assert reply.text == "It is on."
    assert "switched" not in reply.html


def test_answers_between_the_quotes_of_an_html_mail_stay() -> None:
    html = (
        f'<div class="gmail_quote"><div class="gmail_attr">{ATTRIBUTION}</div><blockquote '
        'class="gmail_quote">Is it on?</blockquote>'
        '<div>Yes.</div><blockquote class="gmail_quote">Is it hot?</blockquote><div>No.</div>'
        '<blockquote class="gmail_quote">Anna</blockquote></div>'
    )

    reply = new(html)

    assert "Yes." in reply.text
    assert "No." in reply.text
    assert "Is it hot?" in reply.text
    assert "Anna" not in reply.text


def test_an_answer_below_the_quote_of_an_html_mail_is_found() -> None:
    html = (
        '<div class="moz-cite-prefix">On 02/11/2026 10:00, Acme wrote:<br></div><blockquote '
        f'type="cite">{ASKED}</blockquote><p>It is on.</p>'
    )

    assert new(html).text == "It is on."


def test_a_forward_in_html_is_content() -> None:
    html = (
        '<div>What do you say?</div><div class="gmail_quote"><div class="gmail_attr">---------- '
        "Forwarded message ---------<br>"
        "From: Bob &lt;bob@x.example&gt;<br>Date: Mon, 2 Nov 2026<br>Subject: Offer<br></div><p>We offer ten.</p></div>"
    )

    assert "We offer ten." in new(html, subject="Fwd: Offer").text
    assert "We offer ten." in new(html, subject="Re: Fwd: Offer").text


def test_a_forward_of_outlook_is_content() -> None:
    assert "is it switched on?" in new(CLIENTS["Outlook on the web"], subject="FW: Printer").text


def test_a_signature_of_a_mail_program_goes_from_html() -> None:
    reply = new('<div>It is on.</div><div>Ada</div><div class="gmail_signature">Ada Lovelace<br>Customer Ltd</div>')

    assert reply.text == "It is on.\nAda"
    assert "Lovelace" not in reply.html


def test_what_was_written_into_the_signatures_place_is_not_lost() -> None:
    assert new('<div class="gmail_signature">It is on.</div>').text == "It is on."


@pytest.mark.parametrize(
    "words",
    [
        "We are on Ubuntu, and the output grows with the gain.",
        "Is this expected?",
        "PS: it is the blue one",
        "<br>".join(map(str, range(30))),
    ],
)
def test_what_was_written_below_into_the_signatures_place_is_not_lost(words: str) -> None:
    reply = new(f'<div>It is on.</div><div class="gmail_signature">{words}<br>Ada</div>')

    assert words.partition("<br>")[0] in reply.text


def test_what_was_written_into_the_place_of_the_attribution_is_not_lost() -> None:
    html = (
        f'<div class="moz-cite-prefix">It is on.<br>Really.<br><br>On 02/11/2026 10:00, Acme wrote:<br></div>'
        f'<blockquote type="cite" cite="mid:1@acme.example">{ASKED}</blockquote>'
    )

    assert new(html).text == "It is on.\nReally."


def test_an_attribution_in_a_language_unknown_goes_by_its_place() -> None:
    html = (
        '<p>It is on.</p><div class="moz-cite-prefix">Xx 10:00 yy Acme zz:<br></div><blockquote '
        f'type="cite">{ASKED}</blockquote>'
    )

    assert new(html).text == "It is on."


def test_html_is_made_clean() -> None:
    reply = new('<div onclick="x()">It is on.<script>alert(1)</script></div>')

    assert "script" not in reply.html
    assert "onclick" not in reply.html


def test_a_mail_without_html_has_no_html() -> None:
    assert new_text(mail("It is on.")).html == ""


def test_an_image_stays_with_the_words_around_it() -> None:
    reply = new(f'<div>See <img src="cid:1"> here</div><blockquote type="cite">{ASKED}<img src="cid:2"></blockquote>')

    assert "cid:1" in reply.html
    assert "cid:2" not in reply.html


def test_nothing_below_our_own_marker_is_new_in_html() -> None:
    assert new(f"{SAID}<div>##- Please write above this line -##</div>{ASKED}").text == "It is on."


def test_what_we_sent_is_recognised_in_html_without_any_mark() -> None:
    ours = "Dear Ada,\n\nplease look whether the red switch at the back is on.\n\nAnna"

    reply = new_text(
        mail("", html=f"{SAID}<p>Dear Ada,</p><p>please look whether the red switch at the back is on.</p>"), [ours]
    )

    assert reply.text == "It is on."


def test_an_indented_paragraph_is_no_quote() -> None:
    indented = '<blockquote style="margin:0 0 0 40px;border:none;padding:0px">My list</blockquote>'

    assert "My list" in new(f"<div>Here:</div>{indented}<div>That is all.</div>").text
    assert "My list" in new(f"<div>Here:</div>{indented}").text


def test_html_that_would_tie_up_a_tree_builder_is_read_as_text() -> None:
    reply = new(f"<div>It is on.</div>{'<blockquote>' * 2000}is it on?")

    assert "It is on." in reply.text


def test_a_script_says_nothing() -> None:
    assert new(f"<script>x</script>{CLIENTS['Gmail']}<!-- y -->").text == "It is on."


@pytest.mark.parametrize("frame", ["<pre>{}</pre>", '<div style="white-space: pre-wrap">{}</div>'])
def test_preformatted_text_is_read_line_by_line(frame: str) -> None:
    text = "It is on.\nReally &amp; truly.\n\nOn 02/11/2026 10:00, Acme wrote:\n&gt; is it switched on?\n"

    reply = new(frame.format(text))

    assert reply.text == "It is on.\nReally & truly."
    assert "Really &amp; truly." in reply.html
    assert "switched" not in reply.html


def test_the_footer_of_a_list_below_html_goes() -> None:
    footer = (
        '<div style="white-space: pre-wrap">\n______________________\nusers mailing list\nusers@lists.example\n</div>'
    )

    assert new(f"{CLIENTS['Gmail']}{footer}").text == "It is on."
