"""The part of docs/doctor.md that is made from the catalogue; `python -m tests.support.doctor_page` writes it."""

from __future__ import annotations

import textwrap
from itertools import groupby
from pathlib import Path

from keytrust.deploy.checks import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"
BEGIN, END = "<!-- checks -->\n", "<!-- end of checks -->\n"


def catalogue() -> str:
    """Every check by section: what, why, fix."""
    lines = []
    for section, checks in groupby(CHECKS, key=lambda check: check.section):
        lines += [f"\n### {section}\n", f"The guide's page: {section.page}\n"]
        for check in checks:
            lines += [f"#### {check.id}\n", _wrapped(f"{check.title}. {check.why}"), _wrapped(f"Fix: {check.fix}.")]
    return "\n".join(lines)


def wanted(page: str) -> str:
    """The page with the catalogue as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{catalogue()}\n{END}{after}"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 118, break_on_hyphens=False, break_long_words=False)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(wanted(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
