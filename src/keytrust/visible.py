"""Texts of somebody else's made safe to look at: what cannot be seen, and what steers a terminal, is spelt out.

A name in a directory or an answer of a server may hold anything. Escape sequences rewrite what a terminal shows, marks
of direction make one name look like another, invisible characters make two names look like one, and piles of combining
marks cover the lines around them.
"""

from __future__ import annotations

import re
from html import escape

_MARK = (  # marks that are drawn over the character before them, of the scripts in which names are written
    "[\\u0300-\\u036f\\u0483-\\u0489\\u0591-\\u05c7\\u0610-\\u061a\\u064b-\\u065f\\u06d6-\\u06ed\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e"
    "\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u20d0-\\u20ff\\ufe20-\\ufe2f]"
)
_INVISIBLE = re.compile(
    "["
    "\\x00-\\x1f\\x7f-\\x9f"  # control characters (C0, DEL, C1)
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u206f"  # marks of direction (UAX 9)
    "\\xad\\u115f\\u1160\\u180e\\u200b-\\u200d\\u2060-\\u2065\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb"  # seen by nobody
    "\\u2028\\u2029"  # ends of lines and paragraphs
    "\\ud800-\\udfff"  # half characters, which cannot be written at all
    "\\U000e0000-\\U000e0fff"  # tags and selectors without a shape
    "]"
    f"|(?<={_MARK}{{4}}){_MARK}+"  # a pile of marks, which covers what stands above and below; no language has five
)


def visible(text: str) -> str:
    """The text with every such character as ``\\uXXXX``, a pile by its number; it is one line, and can be encoded."""
    return _INVISIBLE.sub(_spelt, text)


def as_html(text: str) -> str:
    """The visible text, escaped for HTML, in attributes too."""
    return escape(visible(text), quote=True)


def _spelt(match: re.Match[str]) -> str:
    code, number = ord(match[0][0]), len(match[0])
    spelt = f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return spelt if number == 1 else f"{spelt}*{number}"
