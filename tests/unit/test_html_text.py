"""HTML to text: what a person would read, in the order in which it is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maild.message.html import is_tame, to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        # white space and entities
        ("<p>two\n  words&nbsp;and&#32;more</p>", "two words and more"),
        ("a &lt;b&gt; &amp;amp; &euro;", "a <b> &amp; €"),
        ("a < b and b > a", "a < b and b > a"),
        ("<b>bo</b>ld <i>and</i> <u>so on</u>", "bold and so on"),
        ("unclosed <b", "unclosed <b"),
        # blocks and lines
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("<p class=Mso>one</p><p class=Mso>two</p><p class=Mso>&nbsp;</p><p class=Mso>3</p>", "one\ntwo\n\n3"),
        ('<p style="margin:0">one</p><p style="margin:0">two</p>', "one\ntwo"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("one<hr>two", "one\n---\ntwo"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ('<div style="white-space: pre-wrap">a\n  b</div>', "a\n  b"),
        # links
        ('<a href="https://x.example/a?b=1&amp;c=2">here</a>.', "here <https://x.example/a?b=1&c=2>."),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="https://www.x.example/">x.example</a>', "x.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="mailto:a@b.example">Ada</a>', "Ada <mailto:a@b.example>"),
        ('<a href="#top">up</a> <a href="javascript:alert(1)">run</a> <a href="/relative">there</a>', "up run there"),
        ('<a href="https://x.example"><img src="x" alt="Logo"></a>', "[Logo] <https://x.example>"),
        # quotes
        ("new<blockquote>old<blockquote>older</blockquote></blockquote>end", "new\n\n> old\n>\n> > older\n\nend"),
        ("<blockquote><p>one</p><p>two</p></blockquote>", "> one\n>\n> two"),
        # lists
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ol start=3><li>a</li><li>b<ul><li>c</li></ul></li></ol>", "3. a\n4. b\n  - c"),
        # tables
        ("<table><tr><th>Name<th>Number<tr><td>Bolt<td>3</table>", "Name | Number\nBolt | 3"),
        ("<table><tr><td><p>one</p><p>two</p></td><td>side</td></tr></table>", "one\n\ntwo\nside"),
        ("<table><tr><td></td><td>only</td></tr></table>", "only"),
        ("<table><tr><td><table><tr><td>a</td><td>b</td></tr></table></td></tr></table>", "a | b"),
        # images
        ('<img src="cid:1" alt="Screenshot &amp; more">', "[Screenshot & more]"),
        ('<img src="https://t.example/p" alt="track" width=1 height=1>x', "x"),
        # what is not shown
        ('<div style="display: none">preview</div>shown', "shown"),
        ('<span style="visibility:hidden">a</span><span style="opacity:0">b</span>c', "c"),
        ('<div style="max-height:0;overflow:hidden">preview</div>shown', "shown"),
        ('<div style="font-size:0"><p style="font-size:14px">shown</p>gap</div>', "shown"),
        ("<p hidden>a</p>b", "b"),
        ("<style>p { }</style><script>x()</script><title>t</title>shown", "shown"),
        ("<!-- a --><!--[if mso]><p>for Outlook</p><![endif]-->shown", "shown"),
        ("<![if !mso]>shown<![endif]>", "shown"),
        ("preview&zwnj;&nbsp;&zwnj;&nbsp;&#8203;&#847; end", "preview end"),
        ("<svg><text>drawn</text></svg>shown", "shown"),
        ('<span style="display:none">never closed<div>x</div></span>shown', "shown"),
        ("<div hidden><table><tr><td>a</td></tr></table></div>shown", "shown"),
        # what is broken
        ('<a title="x > y" href="https://x.example">t</a>', "t <https://x.example>"),
        ('<p class="never closed>text', "text"),
        ("</div></td></table>text</p>", "text"),
        ("<table><tr><td>a</div></span>b</td></tr></table>", "a\nb"),
        ("", ""),
        ("   \n ", ""),
    ],
)
def test_html_reads_as_it_is_shown(html: str, text: str) -> None:
    assert to_text(html).rstrip("\n") == text


@given(st.text(alphabet="<>/=\"' abdivtrulopq&;-!#\n", max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_html_gives_a_text(html: str) -> None:
    text = to_text(html)

    assert text == "" or text.endswith("\n")
    assert is_tame(html) in (True, False)


@given(st.lists(st.text(alphabet="abc xyz", min_size=1, max_size=12).filter(str.strip), max_size=20), st.data())
@settings(max_examples=150, deadline=None)
def test_no_word_that_is_shown_is_lost(words: list[str], data: st.DataObject) -> None:
    names = ("p", "div", "b", "blockquote", "table", "tr", "td", "ul", "li", "span")
    tags = ["<br>", *(f"<{name}>" for name in names), *(f"</{name}>" for name in names)]
    html = "".join(f"{data.draw(st.sampled_from(tags))} {word} " for word in words)

    found = "".join(letter for letter in to_text(html) if letter in "abcxyz")

    assert sorted(found) == sorted("".join(words).replace(" ", ""))
