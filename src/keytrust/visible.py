"""Texts of somebody else's made safe to look at: what cannot be seen, and what steers a terminal, is spelt out.

A name in a directory or an answer of a server may hold anything. Escape sequences rewrite what a terminal shows, marks
of direction make one name look like another, and invisible characters make two names look like one.
"""

from __future__ import annotations

import re

_INVISIBLE = re.compile(
    "["
    "\\x00-\\x1f\\x7f-\\x9f"  # control characters (C0, DEL, C1)
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u206f"  # marks of direction (UAX 9)
    "\\xad\\u115f\\u1160\\u180e\\u200b-\\u200d\\u2060-\\u2065\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb"  # seen by nobody
    "\\u2028\\u2029"  # ends of lines and paragraphs
    "\\ud800-\\udfff"  # half characters, which cannot be written at all
    "\\U000e0000-\\U000e0fff"  # tags and selectors without a shape
    "]"
)


def visible(text: str) -> str:
    """The text with every invisible character as ``\\uXXXX``; it is one line, and can be encoded."""
    return _INVISIBLE.sub(_spelt, text)


def _spelt(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
