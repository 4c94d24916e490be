"""A read-only domain controller, which Samba's labs do not have, on recorded answers: passed over, read from, told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from keytrust.directory.access import Access
from keytrust.directory.account import Entry
from keytrust.directory.controller import ACTIVE_DIRECTORY, PARTIAL_SECRETS, DomainController, from_root_dse
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError

SID = bytes.fromhex("010400000000000515000000010000000200000003000000")
RODC, WRITABLE = "rodc.corp.example", "dc1.corp.example"


def root_dse(host: str, *capabilities: str) -> Entry:
    """As Windows Server 2019 answers, shortened."""
    values = {
        "defaultNamingContext": "DC=corp,DC=example",
        "configurationNamingContext": "CN=Configuration,DC=corp,DC=example",
        "schemaNamingContext": "CN=Schema,CN=Configuration,DC=corp,DC=example",
        "dnsHostName": host,
        "domainControllerFunctionality": "7",
        "domainFunctionality": "7",
        "forestFunctionality": "7",
    }
    given = {name: [value.encode()] for name, value in values.items()}
    return given | {"supportedCapabilities": [each.encode() for each in (ACTIVE_DIRECTORY, *capabilities)]}


class Recorded:
    """A session to a domain controller that answers as recorded."""

    def __init__(self, server: str) -> None:
        self.server = server

    def controller(self) -> DomainController:
        return from_root_dse(self.server, root_dse(self.server, *([PARTIAL_SECRETS] if self.server == RODC else [])))

    def search(self, base: str, *_: Any, **__: Any) -> Iterator[tuple[str, Entry]]:
        if base == "DC=corp,DC=example":
            yield base, {"objectSid": [SID]}

    def accounts(self, *_: Any) -> Iterator[Any]:
        return iter(())

    def close(self) -> None:
        pass

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Domain]:
    def open_to(_: Access, server: str, controls: Sequence[object] = (), *, timeout: float | None = None) -> Recorded:
        return Recorded(server)

    monkeypatch.setattr(Access, "open_to", open_to)
    monkeypatch.setattr(Access, "sign_in", lambda _: None)
    return lambda *servers: Domain(DirectorySettings(servers=servers, auth="ccache"))


def test_it_is_passed_over_for_reading_and_writing(domain: Callable[..., Domain]) -> None:
    with domain(RODC, WRITABLE) as opened:
        assert (opened.controller.host, opened.controller.read_only) == (WRITABLE, False)
        with opened.writer() as writer:
            assert writer.server == WRITABLE


def test_alone_it_is_read_from_and_a_run_says_why_it_cannot_write(domain: Callable[..., Domain]) -> None:
    with domain(RODC) as opened:
        assert opened.controller.read_only
        assert list(opened.accounts()) == []
        with pytest.raises(DirectoryError, match=r"rodc\.corp\.example is a read-only domain controller") as raised:
            opened.writer()
    assert "Name a writable domain controller" in str(raised.value.remedy)
