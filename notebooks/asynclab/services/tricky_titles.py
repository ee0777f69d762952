"""Pages whose title is hard to read, each with what it is by the HTML standard.

That is `document.title`: the text of the first `title` element of HTML in the document, with references decoded,
without ASCII white space at its ends, and with one space for each run of it within. "" if there is none.
"""

from __future__ import annotations


def _page(head: str, body: str = "<p>Text.</p>") -> str:
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n'


def _tricky(title: str, source: str, charset: str = "utf-8") -> tuple[str, str, str]:
    return title, source, charset


# Title, source, character set in which it is sent (and which the header names).
TRICKY = [
    _tricky("Plain and simple", _page("<title>Plain and simple</title>")),
    _tricky("Zoë & Tom <3 €5", _page("<title>Zo&euml; &amp; Tom &lt;3 &#8364;5</title>")),
    _tricky("Over several lines", _page("<title>\n  Over\n\tseveral\r\n  lines\n</title>")),
    _tricky("In capitals", _page("<TITLE>In capitals</TITLE>")),
    _tricky("With attributes", _page('<title lang="en" data-rule="a > b" >With attributes</title>')),
    _tricky("The page's own", _page("<title>The page's own</title>", "<svg><title>A picture's</title></svg>")),
    _tricky("", _page("", "<svg><title>Only a picture has one</title></svg>")),
    _tricky("After a comment", _page("<!-- <title>Commented out</title> --><title>After a comment</title>")),
    _tricky(
        "After a script",
        _page('<script>document.x = "<title>In a script</title>";</script><title>After a script</title>'),
    ),
    _tricky("", _page("<meta name='description' content='no title at all'>")),
    _tricky("", _page("<title></title>")),
    _tricky("The first of two", _page("<title>The first of two</title><title>The second</title>")),
    _tricky("Ωmega, 日本語, עברית, naïve 🎉", _page("<title>Ωmega, 日本語, עברית, naïve 🎉</title>")),
    # Within <title> nothing is mark-up but its end, so an unclosed one takes all that follows.
    _tricky(
        "Never closed <p>Text.</p>",
        '<!doctype html>\n<html lang="en">\n<head><title>Never closed\n<p>Text.</p>\n',
    ),
    _tricky("Façade à la crème", _page("<title>Façade à la crème</title>"), "iso-8859-1"),
    _tricky("In the body", _page("", "<p>Text.</p><title>In the body</title>")),
    _tricky("How to write &lt;b&gt; & co", _page("<title>How to write &amp;lt;b&amp;gt; &amp; co</title>")),
    _tricky("<b>Bold</b> is text here", _page("<title><b>Bold</b> is text here</title>")),
    _tricky("\u00a0not\u00a0ASCII space\u00a0", _page("<title> &nbsp;not&nbsp;ASCII  space&nbsp; </title>")),
    _tricky("Fish & chips © 2024", _page("<title>Fish &amp chips &copy 2024</title>")),
    _tricky(
        "After a template",
        _page("<template><title>In a template</title></template><title>After a template</title>"),
    ),
    _tricky("<!-- text, too --> Shown", _page("<title><!-- text, too --> Shown</title>")),
    _tricky("Loosely closed", _page("<tItLe\n>Loosely closed</TITLE\n >")),
    _tricky("“Smart” quotes", _page("<title>&#147;Smart&#x94; quotes</title>")),
]
