"""A forest as it is described: what a lab cannot show (child domains, read-only controllers) on recorded answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keytrust.directory.discovery import Condition, ask
from keytrust.directory.errands import Errands
from keytrust.directory.forest import Row, describe, dns_name
from keytrust.directory.servers import Servers

CONFIGURATION = "CN=Configuration,DC=corp,DC=example"


def partition(dn: str, name: str, flags: str = "3", parent: str = "", netbios: str = "") -> Row:
    entry = {"nCName": [dn.encode()], "dnsRoot": [name.encode()], "systemFlags": [flags.encode()]}
    entry |= {"nETBIOSName": [netbios.encode()], "msDS-Behavior-Version": [b"7"]}
    if parent:
        entry["trustParent"] = [parent.encode()]
    return f"CN={netbios or name},CN=Partitions,{CONFIGURATION}", entry


def controller(
    name: str, domain: str, site: str = "Paris", *, kind: str = "NTDS-DSA", host: str | None = None
) -> tuple[Row, Row]:
    server = f"CN={name},CN=Servers,CN={site},CN=Sites,{CONFIGURATION}"
    computer = f"CN={name},OU=Domain Controllers,{domain}"
    shown = f"{name}.{dns_name(domain)}" if host is None else host
    return (
        (server, {"dNSHostName": [shown.encode()], "serverReference": [computer.encode()]}),
        (
            f"CN=NTDS Settings,{server}",
            {
                "objectCategory": [f"CN={kind},CN=Schema,{CONFIGURATION}".encode()],
                "objectGUID": [b"0123456789abcdef"],
                "msDS-Behavior-Version": [b"7"],
                "options": [b"1"],
            },
        ),
    )


ROOT = f"CN=CORP,CN=Partitions,{CONFIGURATION}"
PARTITIONS = [
    partition(
        "DC=emea,DC=corp,DC=example",
        "emea.corp.example",
        parent=ROOT,
        netbios="EMEA",
    ),
    partition("DC=corp,DC=example", "corp.example", netbios="CORP"),
    partition("DC=other,DC=example", "other.example", parent=ROOT.lower(), netbios="OTHER"),
    partition(CONFIGURATION, "corp.example", flags="1", netbios="Enterprise Configuration"),
    partition("DC=DomainDnsZones,DC=corp,DC=example", "DomainDnsZones.corp.example", flags="5"),
]


def test_child_domains_and_other_trees_are_found_and_application_partitions_are_not() -> None:
    found = describe("DC=corp,DC=example", 7, 88, PARTITIONS, [], [])
    assert [(each.name, each.parent) for each in found.domains] == [
        ("corp.example", ""),
        ("emea.corp.example", "corp.example"),
        ("other.example", "corp.example"),
    ]
    assert found.domains[0].netbios == "CORP"


def test_each_controller_is_put_into_its_own_domain_and_site() -> None:
    made = [
        controller("dc1", "DC=corp,DC=example"),
        controller("dc2", "DC=emea,DC=corp,DC=example", "London"),
        controller("rodc", "DC=emea,DC=corp,DC=example", "Branch\\, small", kind="NTDS-DSA-RO"),
        controller("dc3", "DC=OTHER,dc=example", host="dc3.unrelated.example"),
        controller("gone", "DC=corp,DC=example", host=""),
    ]
    found = describe("DC=corp,DC=example", 7, None, PARTITIONS, [m[0] for m in made], [m[1] for m in made])
    assert [(each.host, each.domain, each.site, each.read_only) for each in found.controllers] == [
        ("dc1.corp.example", "corp.example", "Paris", False),
        ("rodc.emea.corp.example", "emea.corp.example", "Branch, small", True),
        ("dc2.emea.corp.example", "emea.corp.example", "London", False),
        ("dc3.unrelated.example", "other.example", "Paris", False),
    ]
    assert all(each.global_catalog and each.level == 7 and each.dsa for each in found.controllers)


def test_what_is_missing_or_nonsense_is_not_made_up() -> None:
    server, agent = controller("dc1", "DC=corp,DC=example")
    odd = (agent[0], {"msDS-Behavior-Version": [b"seven"], "objectGUID": [b"short"], "options": [b"\xff"]})
    found = describe("nonsense", 0, None, [("x", {}), ("CN=y", {"systemFlags": [b"-"]})], [server], [odd])
    [only] = found.controllers
    assert (only.level, only.dsa, only.global_catalog, only.domain, found.domains) == (None, "", False, "", ())


# -- a big forest, a tenth of which does not answer ------------------------------------------------------------------


def _tlv(tag: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    size = len(joined)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + joined


def _root_dse(message: bytes) -> bytes:
    told = {"defaultNamingContext": "DC=corp,DC=example", "supportedCapabilities": "1.2.840.113556.1.4.800"}
    told |= {"domainControllerFunctionality": "7", "currentTime": time.strftime("%Y%m%d%H%M%S.0Z", time.gmtime())}
    attributes = [_tlv(0x30, _tlv(4, n.encode()), _tlv(0x31, _tlv(4, v.encode()))) for n, v in told.items()]
    entry = _tlv(0x30, message, _tlv(0x64, _tlv(4), _tlv(0x30, *attributes)))
    return entry + _tlv(0x30, message, _tlv(0x65, b"\x0a\x01\x00", _tlv(4), _tlv(4)))


@contextmanager
def big_forest(well: int, silent: int) -> Iterator[list[tuple[str, int]]]:
    """Servers that answer a rootDSE search, and such as take connections and never say anything."""
    stop = threading.Event()
    listening: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(4096)
                connection.sendall(_root_dse(asked[asked.index(b"\x02\x01") :][:3]))
                connection.recv(4096)

    for number in range(well + silent):
        listener = socket.create_server(("127.0.0.1", 0))
        listening.append(listener)
        if number < well:
            threading.Thread(target=serve, args=(listener,), daemon=True).start()
    try:
        yield [listener.getsockname() for listener in listening]
    finally:
        stop.set()
        for listener in listening:
            listener.close()


def test_two_hundred_controllers_of_which_a_tenth_is_silent_are_asked_within_the_limit() -> None:
    with big_forest(180, 20) as addresses:
        asked: Errands[int, Condition] = Errands(100)
        began = time.monotonic()
        for host, port in addresses:
            asked.send(port, lambda host=host, port=port: ask(host, 4.0, port))  # type: ignore[misc]
        found = asked.collect(began + 60)
    assert len(found) == 200
    assert sum(each.said is not None for each in found.values()) == 180
    for _, port in addresses[180:]:
        assert "no answer" in found[port].fault
    assert all(abs(each.offset or 0) < 60 for each in found.values() if each.said is not None)


def test_what_has_no_directory_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "no answer" in ask("127.0.0.1", 2.0, port).fault


# -- in which order --------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


def test_the_one_in_use_comes_first_and_one_that_failed_last_for_a_while(clock: list[float]) -> None:
    servers = Servers(["a", "b", "c"], lambda: clock[0])
    assert servers.order() == ["a", "b", "c"]
    servers.failed("a")
    assert servers.order() == ["b", "c", "a"]
    servers.used("c")
    assert servers.order() == ["c", "b", "a"]
    clock[0] += 61
    assert servers.order() == ["c", "a", "b"]
    servers.failed("c")
    assert servers.failing("c")
    assert servers.order() == ["a", "b", "c"]
    servers.used("c")
    assert not servers.failing("c")


def test_further_ones_are_learnt_once(clock: list[float]) -> None:
    servers = Servers(["dc1.corp.example."], lambda: clock[0])
    servers.learn(["DC1.corp.example", "dc2.corp.example", "dc2.corp.example"])
    assert servers.order() == ["dc1.corp.example", "dc2.corp.example"]
