"""What is asked of the directory about a value that appeared, and what is made of its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from tests.support.world import guid

from keytrust.directory.ranged import whole
from keytrust.directory.replication import VALUE_METADATA, Origin
from keytrust.service.evidence import origin_in

BINARY = bytes.fromhex("00020000")


def document(number: int, data: bytes) -> bytes:
    return (
        "<DS_REPL_VALUE_META_DATA><pszAttributeName>msDS-KeyCredentialLink</pszAttributeName>"
        f"<pbData>{data.hex()}</pbData><ftimeDeleted>1601-01-01T00:00:00Z</ftimeDeleted>"
        f"<ftimeLastOriginatingChange>2026-01-02T03:04:{number:02}Z</ftimeLastOriginatingChange>"
        "<pszLastOriginatingDsaDN>CN=NTDS Settings,CN=DC7,CN=Servers</pszLastOriginatingDsaDN>"
        "</DS_REPL_VALUE_META_DATA>\n\0"
    ).encode()


class Directory:
    """A domain whose one object has these attributes, in parts where they are named so."""

    def __init__(self, first: dict[str, list[bytes]], *rest: dict[str, list[bytes]]) -> None:
        self.first = first
        self.rest = list(rest)

    def session(self) -> Any:
        return nullcontext(self)

    def search_whole(self, *_: object, **__: object) -> Iterator[tuple[str, dict[str, Sequence[bytes]]]]:
        yield "CN=a", dict(whole("dc", "CN=a", self.first, lambda _: self.rest.pop(0)))


def origin(directory: Directory) -> Origin | None:
    return origin_in(directory, guid("a"), BINARY)  # type: ignore[arg-type]


def test_a_value_is_found_among_more_than_one_answer_holds() -> None:
    """Windows gives an empty attribute beside the first part, and a thousand documents in a part."""
    first = {
        VALUE_METADATA: [],
        f"{VALUE_METADATA};range=0-2": [document(n, b"%d" % n) for n in range(3)],
        "whenChanged": [b"20270101000000.0Z"],
    }
    rest = {f"{VALUE_METADATA};range=3-*": [document(3, BINARY), document(4, b"other")]}
    assert origin(Directory(first, rest)) == Origin("DC7", datetime(2026, 1, 2, 3, 4, 3, tzinfo=UTC), exact=True)


def test_where_there_is_no_metadata_the_last_change_of_the_account_is_a_bound() -> None:
    """As Samba 4.24 answers."""
    assert origin(Directory({"whenChanged": [b"20260102030405.0Z"]})) == Origin(
        "", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), exact=False
    )
    assert origin(Directory({})) is None
