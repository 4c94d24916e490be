"""Values that somebody else wrote: what is told of them, and of which no alarm is raised."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from tests.support.directory import MemoryDirectory
from tests.support.memory_link import MemoryLink, MemorySource, duty
from tests.support.world import account, cloud_user, dn, guid, key, sid, value

from keytrust.audit.devices import Device
from keytrust.audit.inspect import inspect
from keytrust.cloud.one_user import UserName
from keytrust.cloud.source import CloudUser
from keytrust.credential import KeySource
from keytrust.directory.replication import Origin, origin_of
from keytrust.directory.times import generalized_time
from keytrust.errors import CloudError
from keytrust.service import alarm as alarms
from keytrust.service import unexpected
from keytrust.service.alarm import Alarm
from keytrust.service.events import Event
from keytrust.service.mirror import NewValue
from keytrust.service.unexpected import MOST_QUESTIONS
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import AccountRef, Action, Change

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "key_credentials.json").read_text())["vectors"]


class AskedSource(MemorySource):
    """One that can be asked about single users, and counts how often it is."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.fault: Exception | None = None

    def user(self, name: UserName) -> CloudUser | None:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return next((user for user in self.users.values() if name.fits(user)), None)


class Site:
    def __init__(self, store: Engine) -> None:
        self.source = AskedSource()
        self.duty, self.told = duty(store, self.source)
        self.link = MemoryLink(MemoryDirectory())
        self.journal = Journal(store)
        self.alarm = Alarm(self.duty, self.link, self.journal)

    def mirrored(self, *users: CloudUser) -> None:
        with self.duty.writing() as connection:
            self.duty.mirror.put_users(connection, users, 1)

    def appears(self, name: str, raw: bytes, **fields: object) -> Event:
        self.alarm.judge([NewValue(account(name, raw, **fields), raw)])
        told = [*self.told.of("unexpected-value"), *self.told.of("foreign-value")]
        return max(told, key=lambda event: event.at)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield Site(engine)
    engine.dispose()


def vector(which: str, name: str) -> bytes:
    return f"B:{len(VECTORS[which])}:{VECTORS[which]}:{dn(name)}".encode()


def test_a_key_that_nobody_registered_is_told_with_severity_and_origin(site: Site) -> None:
    site.mirrored(cloud_user("alice", (key(1),)))
    event = site.appears("alice", value("alice", 2))
    assert event.kind == "unexpected-value"
    assert (event.data["severity"], event.data["findings"]) == ("high", ["key-not-registered"])
    assert (event.data["originServer"], event.data["originTime"]) == ("DC2", "2026-01-02T00:00:00+00:00")
    assert "the cloud reports one key, not this one, for" in event.sentence
    assert site.appears("root", value("root", 2), protected=True).data["severity"] == "critical"


def test_a_registered_key_that_somebody_else_wrote_is_no_alarm(site: Site) -> None:
    site.mirrored(cloud_user("alice", (key(1),)))
    assert site.appears("alice", value("alice", 1)).kind == "foreign-value"
    assert site.source.asked == 0


def test_a_registration_that_has_not_arrived_yet_is_asked_for_before_anybody_is_accused(site: Site) -> None:
    site.mirrored(cloud_user("alice", ()))
    site.source.users["id-alice"] = cloud_user("alice", (key(1),))
    assert site.appears("alice", value("alice", 1)).kind == "foreign-value"


def test_a_key_source_that_cannot_be_asked_keeps_nothing_from_being_told(site: Site) -> None:
    site.mirrored(cloud_user("alice", ()))
    site.source.fault = CloudError("down")
    assert site.appears("alice", value("alice", 1)).kind == "unexpected-value"


def test_a_flood_of_values_is_told_without_asking_about_each(site: Site) -> None:
    flood = [NewValue(account(f"u{n}", value(f"u{n}", 1)), value(f"u{n}", 1)) for n in range(MOST_QUESTIONS + 5)]
    site.alarm.judge(flood)
    assert len(site.told.of("unexpected-value")) == len(flood)
    assert site.source.asked == MOST_QUESTIONS


def test_many_values_on_one_account_are_looked_at_once_each_and_its_user_is_asked_for_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return inspect(*arguments)

    monkeypatch.setattr(unexpected, "inspect", counted)
    site.mirrored(cloud_user("alice", ()))
    site.source.users["id-alice"] = cloud_user("alice", (key(7),))
    flooded = account("alice", *(value("alice", number) for number in range(100)))
    site.alarm.judge([NewValue(flooded, raw) for raw in flooded.values])
    assert len(site.told.of("unexpected-value")) == 99
    assert [event.data["value"] for event in site.told.of("foreign-value")] == [value("alice", 7).decode()]
    assert site.source.asked == 1
    assert looks == 100


@pytest.mark.parametrize(("which", "computer"), [("UserKeyFIDO0", False), ("ComputerKey", True), ("NonMFAKey", True)])
def test_security_keys_and_computers_own_keys_are_no_alarm(site: Site, which: str, computer: bool) -> None:
    site.mirrored(cloud_user("alice", ()))
    assert site.appears("alice", vector(which, "alice"), computer=computer).kind == "foreign-value"


def test_a_users_key_on_a_computer_is_told(site: Site) -> None:
    event = site.appears("pc", value("pc", 1), computer=True)
    assert event.data["findings"] == ["computer-with-user-style-key"]


def test_a_key_of_ad_fs_registration_needs_its_device(site: Site) -> None:
    stored = value("alice", 1, source=KeySource.AD)
    site.mirrored(cloud_user("alice", ()))
    assert site.appears("alice", stored).kind == "unexpected-value"
    site.link.known_devices[UUID(int=1)] = Device(
        str(UUID(int=1)), "pc", True, frozenset({sid("alice").lower()}), local=True
    )
    assert site.appears("alice", stored).kind == "foreign-value"
    site.link.known_devices[UUID(int=1)] = Device(
        str(UUID(int=1)), "pc", True, frozenset({"s-1-5-21-1-2-3-9"}), local=True
    )
    assert "device-of-another-user" in site.appears("alice", stored).data["findings"]


def test_garbage_is_told(site: Site) -> None:
    assert site.appears("alice", b"\xff\xfe").data["findings"] == ["unreadable-value"]


def test_what_we_wrote_is_silent_until_we_remove_it_and_it_is_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.mirrored(cloud_user("alice", ()))
    raw, who = value("alice", 1), AccountRef(guid("alice"), dn("alice"), sid("alice"), "alice")
    for action in (Action.ADD, Action.REMOVE):
        run = site.journal.start_run("run", domain="d", domain_sid="s", server="dc", source="", operator="")
        seqs = site.journal.intend(run, "dc", [Change(action, who, raw, key(1).key_id, "")])
        site.alarm.judge([NewValue(account("alice", raw), raw)])
        assert site.told.of("unexpected-value") == []
        site.journal.conclude(run, [(seq, Outcome.CONFIRMED, "") for seq in seqs])
        site.alarm.judge([NewValue(account("alice", raw), raw)])  # another domain controller may show it a while yet
        assert site.told.of("unexpected-value") == []
    monkeypatch.setattr(alarms, "_REPLICATION", datetime.resolution * 0)
    assert site.appears("alice", raw).kind == "unexpected-value"


class TestReplicationMetadata:
    BINARY = bytes.fromhex("00020000")

    def document(self, **fields: str) -> bytes:
        given = {
            "pszAttributeName": "msDS-KeyCredentialLink",
            "cbData": "4",
            "pbData": "AAIAAA==",
            "ftimeDeleted": "1601-01-01T00:00:00Z",
            "ftimeLastOriginatingChange": "2026-01-02T03:04:05Z",
            "pszLastOriginatingDsaDN": "CN=NTDS Settings,CN=DC7,CN=Servers,CN=S,CN=Sites,CN=Configuration,DC=x",
        } | fields
        inside = "".join(f"\t<{name}>{text}</{name}>\n" for name, text in given.items())
        return f"<DS_REPL_VALUE_META_DATA>\n{inside}</DS_REPL_VALUE_META_DATA>\n\0".encode()

    def test_the_values_own_document_is_found_among_others(self) -> None:
        others = [
            self.document(pszAttributeName="member"),
            self.document(ftimeDeleted="2026-01-01T00:00:00Z"),
            self.document(pbData="AAIAAQ==", ftimeLastOriginatingChange="2027-01-01T00:00:00Z"),
        ]
        found = origin_of([*others, self.document()], self.BINARY)
        assert found == Origin("DC7", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), exact=True)
        assert origin_of([*others, self.document(pbData="00020000")], self.BINARY) == found

    def test_without_it_the_latest_is_taken_and_said_not_to_be_exact(self) -> None:
        older = self.document(pbData="", ftimeLastOriginatingChange="2025-01-01T00:00:00Z")
        assert origin_of([older, self.document(pbData="")], self.BINARY) == Origin(
            "DC7", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), exact=False
        )

    @pytest.mark.parametrize(
        "hostile",
        [
            b"",
            b"<",
            b"\xff" * 50,
            b"<a>" * 100_000,
            b'<!DOCTYPE x [<!ENTITY a "b">]><DS_REPL_VALUE_META_DATA>&a;</DS_REPL_VALUE_META_DATA>',
            b'<!DOCTYPE x [<!ENTITY a "msDS-KeyCredentialLink">]><pszAttributeName>&a;</pszAttributeName>',
            b"<pszAttributeName>msDS-KeyCredentialLink</pszAttributeName><ftimeLastOriginatingChange>",
            b"<pszAttributeName>" * 50_000,
            b"<pbData>\\<" * 50_000,
            b"<pbData>\\" * 100_000,
            b"<pbData>" + b"<" * 500_000,
            b"<DS_REPL_VALUE_META_DATA>" + b" " * (2 << 20) + b"</DS_REPL_VALUE_META_DATA>",
        ],
    )
    def test_what_is_no_metadata_is_passed_over(self, hostile: bytes) -> None:
        assert origin_of([hostile], self.BINARY) is None
        assert origin_of([hostile, self.document()], self.BINARY) is not None

    @pytest.mark.parametrize(
        "name",
        [
            "CN=a,OU=R&D,DC=x",
            "CN=a\x10b,DC=x",
            "CN=Zo\u00eb,DC=x",
            "CN=x\\</pszObjectDn\\><pbData\\>00</pbData\\>,DC=x",
        ],
    )
    def test_a_name_that_makes_the_document_no_xml_hides_nothing(self, name: str) -> None:
        found = origin_of([self.document(pszObjectDn=name)], self.BINARY)
        assert found == Origin("DC7", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), exact=True)

    def test_the_bytes_may_be_in_hex_or_in_base64(self) -> None:
        for text in (self.BINARY.hex(), self.BINARY.hex().upper(), base64.b64encode(self.BINARY).decode()):
            found = origin_of([self.document(pbData=text)], self.BINARY)
            assert found is not None and found.exact

    def test_a_value_older_than_metadata_is_found_without_a_time(self) -> None:
        never = "1601-01-01T00:00:00Z"
        document = self.document(ftimeCreated=never, ftimeLastOriginatingChange=never, pszLastOriginatingDsaDN="")
        assert origin_of([document], self.BINARY) == Origin("", None, exact=True)

    def test_a_deleted_value_that_came_back_counts_and_one_that_did_not_does_not(self) -> None:
        gone = self.document(ftimeDeleted="2026-03-01T00:00:00Z", dwVersion="2")
        assert origin_of([gone], self.BINARY) is None
        assert origin_of([gone, self.document(dwVersion="3")], self.BINARY) is not None

    def test_without_a_time_of_deletion_it_is_not_deleted(self) -> None:
        for document in (self.document(ftimeDeleted=""), self.document().replace(b"ftimeDeleted", b"x")):
            assert origin_of([document], self.BINARY) is not None

    def test_a_domain_controller_that_is_demoted_by_now(self) -> None:
        dn = "CN=NTDS Settings\\0ADEL:0ab1e4c2-5d5c-4b0e-9d0a-8f4b5f3c9c11,CN=DC9,CN=Servers,CN=S,CN=Sites,DC=x"
        found = origin_of([self.document(pszLastOriginatingDsaDN=dn)], self.BINARY)
        assert found is not None and found.controller == "DC9"

    def test_generalized_time(self) -> None:
        assert generalized_time(b"20260102030405.0Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert generalized_time(b"20260102030405Z") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert generalized_time(b"never") is None
        assert generalized_time(b"20261399000000.0Z") is None
