"""Bar charts as inline SVG. Pure; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Bar = tuple[str, int, str]
"""Label, value, and the CSS class that gives its colour."""

_ROW, _LABEL, _WIDTH = 30, 280, 660
_SPACE_FOR_NUMBER = 90


def bars(title: str, data: Iterable[Bar]) -> str:
    """A horizontal bar chart; a sentence instead where there is nothing to show."""
    rows = list(data)
    greatest = max((value for _, value, _ in rows), default=0)
    if not greatest:
        return f'<figure><figcaption>{escape(title)}</figcaption><p class="none">Nothing to show.</p></figure>'
    height = _ROW * len(rows) + 6
    parts = [
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
    ]
    room = _WIDTH - _LABEL - _SPACE_FOR_NUMBER
    for index, (label, value, colour) in enumerate(rows):
        y = index * _ROW + 4
        length = max(2.0, room * value / greatest) if value else 0
        parts.append(
            f'<text class="label" x="{_LABEL - 10}" y="{y + 16}">{escape(_short(label))}</text>'
            f'<rect class="track" x="{_LABEL}" y="{y + 3}" width="{room}" height="17" rx="3"/>'
            f'<rect class="{escape(colour)}" x="{_LABEL}" y="{y + 3}" width="{length:.1f}" height="17" rx="3">'
            f"<title>{escape(label)}: {value:,}</title></rect>"
            f'<text class="number" x="{_LABEL + room + 8}" y="{y + 16}">{value:,}</text>'
        )
    parts.append("</svg></figure>")
    return "".join(parts)


def _short(label: str) -> str:
    return label if len(label) <= 34 else label[:33] + "…"
