"""The project's documents taken apart: code blocks, commands, links, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^([ \t]*)```(\w*)[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL)
_GIVEN = re.compile(r"<!-- given: ([^<>]+?) -->\s*\Z")
_EXIT = re.compile(r"#\s*exits with (\d+)\s*$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the state of the world that it begins with, where the page says."""

    language: str
    text: str
    given: str | None

    def lines(self) -> list[str]:
        """Its lines, those that end in a backslash joined with the next."""
        return [line.strip() for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


@dataclass(frozen=True)
class Command:
    """A ``keytrust`` command line: its words without the first, and the exit code that the page promises."""

    words: tuple[str, ...]
    exits_with: int


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        given = _GIVEN.search(text[: match.start()])
        found.append(Block(match[2], match[3], " ".join(given[1].split()) if given else None))
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a ``console`` block. Any that is not ours is an error: such go into ``sh`` blocks."""
    found = []
    for line in block.lines():
        if not line.startswith("$ "):
            continue
        program, *words = shlex.split(line[2:], comments=True)
        if program != "keytrust":
            raise ValueError(f"a console block runs {program}: put it into a sh block")
        promised = _EXIT.search(line)
        found.append(Command(tuple(words), int(promised[1]) if promised else 0))
    return found


def mentioned(page: Path) -> Iterator[tuple[str, ...]]:
    """The words of every ``keytrust`` command line in ``sh`` blocks and in the text of a page, the first left out."""
    for block in blocks(page):
        if block.language == "sh":
            for line in block.lines():
                words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
                if words[:1] == ["keytrust"]:
                    yield tuple(words[1:])
    for span in _SPAN.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        words = span.split()
        if words[:1] == ["keytrust"]:
            yield tuple(words[1:])


def links(page: Path) -> list[str]:
    """The targets of a page's links to other places of this project."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [target for target in _LINK.findall(text) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be linked to."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next of the same or a higher level."""
    text = page.read_text(encoding="utf-8")
    match = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    return match[2] if match else ""
