"""Makes text from outside what people would see of it: no markup, nothing hidden, no characters without a shape.

What is written for models alone (a paragraph in the colour of nothing, tags made of invisible characters, comments)
is gone. A sentence that everybody can read stays, whatever it demands: the caller marks it as untrusted.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

LONGEST_STYLE = 5000
"""Nobody describes what is to be seen with more characters than these."""

_FILLERS = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Shown as nothing, although their category says otherwise."""
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_VARIATIONS = re.compile("[\ufe00-\ufe0e\U000e0100-\U000e01ef]")
_EMPTY_LINES = re.compile(r"\n{3,}")

_GONE = (
    "//comment() | //processing-instruction() | //script | //style | //template | //noscript | //iframe | //object"
    " | //embed | //svg | //canvas | //form | //button | //select | //textarea | //dialog | //nav | //aside | //footer"
    " | //*[@hidden or @aria-hidden='true' or @inert or @role='navigation' or @role='banner' or @role='dialog']"
    " | //input"
)
_HIDES = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|content-visibility:hidden|opacity:(?:0?\.0\d*|0)(?:;|$|!)"
    r"|font-size:0?(?:\.\d+)?(?:0|px|pt|em|rem|%)?(?:;|$|!)|font-size:[01](?:\.\d+)?(?:px|pt)"
    r"|color:transparent|text-indent:-\d{3,}|(?:left|top|right|bottom|margin-left|margin-top):-\d{3,}"
    r"|clip:rect\(0|clip-path:inset\((?:50|100)%|transform:scale\(0|(?:^|;)(?:max-)?(?:height|width):0(?:px)?(?:;|$|!)"
)
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_GROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")
_WHITE = frozenset({"white", "#fff", "#ffffff", "rgb(255,255,255)"})
_NAMED = re.compile(r"[a-z0-9]*([.#])([\w-]+)", re.IGNORECASE)


def plain(text: str) -> str:
    """A text without characters that nobody sees, and without more than one empty line in a row."""
    text = _VARIATIONS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    seen = "".join(char for char in text if char in "\n\t" or _is_seen(char))
    return _EMPTY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in seen.split("\n"))).strip("\n")


def line(text: str) -> str:
    """The same in one line."""
    return " ".join(plain(text).split())


def visible(html: str) -> tuple[str, str]:
    """The title of a page, and the page as HTML with only what people see of its content. Blocks.

    Raises:
        ValueError: There is nothing in it that can be read as HTML.
    """
    import lxml.etree
    import lxml.html

    parser = lxml.html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        tree: Any = lxml.html.document_fromstring(html.replace("\x00", "").encode(), parser=parser)
    except lxml.etree.LxmlError as error:
        raise ValueError("there is no page in it") from error
    title = line(tree.findtext(".//title") or "")
    hidden = set(_hidden_names("\n".join(style.text or "" for style in tree.iter("style"))))
    for element in list(tree.iter()):
        if isinstance(element.tag, str) and element.getparent() is not None and _is_hidden(element, hidden):
            element.drop_tree()
    for element in tree.xpath(_GONE):
        if element.getparent() is not None:
            element.drop_tree()
    return title, lxml.html.tostring(tree, encoding="unicode")


def _is_seen(char: str) -> bool:
    return char not in _FILLERS and unicodedata.category(char) not in _UNSEEN


def _is_hidden(element: Any, names: set[str]) -> bool:
    own = {f"#{element.get('id', '')}", *(f".{name}" for name in (element.get("class") or "").split())}
    return bool(own & names) or _hides(element.get("style") or "")


def _hides(declarations: str) -> bool:
    """Whether style declarations keep people from seeing a text."""
    plainly = "".join(_without_comments(declarations).split()).lower()
    if len(plainly) > LONGEST_STYLE or _HIDES.search(plainly):
        return True
    colour, ground = _COLOUR.search(plainly), _GROUND.search(plainly)
    if colour is None:
        return False
    return colour[1] == ground[1] if ground else colour[1] in _WHITE


def _hidden_names(sheet: str) -> Iterator[str]:
    """`.class` and `#id` that a style sheet hides by themselves."""
    for rule in _without_comments(sheet).split("}"):
        selectors, _, declarations = rule.rpartition("{")
        if _hides(declarations):
            for selector in selectors.rpartition("{")[2].split(","):
                if named := _NAMED.fullmatch(selector.strip()):
                    yield named[1] + named[2]


def _without_comments(style: str) -> str:
    first, *others = style.split("/*")
    return first + "".join(other.partition("*/")[2] for other in others)
