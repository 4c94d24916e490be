"""What one user's JSON turns into: nothing is guessed, and damage stays where it is."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from keytrust.cloud import Reported, Unknown
from keytrust.cloud.replays import merge_copies
from keytrust.cloud.user_json import parse_user
from keytrust.errors import CloudError

DEVICE = "0AC3C1F2-9a0b-4f5e-8d7c-6b5a49382716"
MATERIAL = b"RSA1" + bytes(range(200))
KEY = {"deviceId": DEVICE, "keyMaterial": base64.b64encode(MATERIAL).decode(), "keyType": "NGC"}


def user(**properties: Any) -> dict[str, Any]:
    return {"id": "u1", "userPrincipalName": "alice@example.org", **properties}


def test_a_complete_user_is_read() -> None:
    parsed = parse_user(
        user(
            accountEnabled=True,
            onPremisesImmutableId=base64.b64encode(b"\x01" * 16).decode(),
            onPremisesSecurityIdentifier="S-1-5-21-1-2-3-1104",
            deviceKeys=[{**KEY, "createdDateTime": "2024-02-29T12:00:00.1234567Z", "customKeyInformation": "AQAAAA=="}],
        )
    )
    assert (parsed.id, parsed.upn, parsed.enabled) == ("u1", "alice@example.org", True)
    assert (parsed.source_anchor, parsed.sid) == (b"\x01" * 16, "S-1-5-21-1-2-3-1104")
    assert isinstance(parsed.keys, Reported)
    (key,) = parsed.keys.keys
    assert (key.material, key.device_id, key.key_type) == (MATERIAL, UUID(DEVICE), "NGC")
    assert key.created == datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)
    assert key.custom_key_information == b"\x01\x00\x00\x00"


def test_an_empty_list_is_reported_and_an_absent_or_null_one_is_unknown() -> None:
    assert parse_user(user(deviceKeys=[])).keys == Reported(())
    assert isinstance(parse_user(user()).keys, Unknown)
    assert isinstance(parse_user(user(deviceKeys=None)).keys, Unknown)


@pytest.mark.parametrize("damaged", [{}, {"0": KEY}, "", 0, False, 1.5, "[]"])
def test_a_key_list_of_another_type_is_unknown(damaged: object) -> None:
    assert isinstance(parse_user(user(deviceKeys=damaged)).keys, Unknown)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "key",
        {},
        {**KEY, "keyMaterial": None},
        {**KEY, "keyMaterial": ""},
        {**KEY, "keyMaterial": "UlNBMQ="},
        {**KEY, "keyMaterial": "UlNB MQ=="},
        {**KEY, "keyMaterial": 7},
        {**KEY, "keyMaterial": "A" * 1_000_000},
        {**KEY, "keyType": None},
        {**KEY, "keyType": "NGC\x1b[2J"},
        {**KEY, "deviceId": "not-a-guid"},
        {**KEY, "deviceId": 5},
        {**KEY, "createdDateTime": "yesterday"},
        {**KEY, "createdDateTime": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_a_damaged_entry_makes_the_list_unknown_and_keeps_the_legible_keys(entry: object) -> None:
    keys = parse_user(user(deviceKeys=[KEY, entry])).keys
    assert isinstance(keys, Unknown)
    assert "entry 1" in keys.reason
    assert [key.material for key in keys.keys] == [MATERIAL]


def test_an_absurd_number_of_entries_is_unknown() -> None:
    keys = parse_user(user(deviceKeys=[KEY] * 5_001)).keys
    assert isinstance(keys, Unknown)
    assert keys.keys == ()


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("onPremisesImmutableId", "no base64!", "source_anchor"),
        ("onPremisesImmutableId", "", "source_anchor"),
        ("onPremisesImmutableId", 12, "source_anchor"),
        ("onPremisesSecurityIdentifier", "S-1-5-21-1-2-3-x", "sid"),
        ("onPremisesSecurityIdentifier", ["S-1-5-18"], "sid"),
        ("onPremisesSecurityIdentifier", "S-1-5-21-1-2-3-1104\n", "sid"),
        ("accountEnabled", "true", "enabled"),
        ("accountEnabled", 1, "enabled"),
    ],
)
def test_a_damaged_join_attribute_is_none(name: str, value: object, attribute: str) -> None:
    assert getattr(parse_user(user(**{name: value})), attribute) is None


@pytest.mark.parametrize(
    "damaged", [None, [], "u1", {}, {"id": None}, {"id": 5}, {"id": ""}, {"id": "x" * 300}, {"id": "a\x00b"}]
)
def test_a_user_that_cannot_be_told_from_another_is_an_error(damaged: object) -> None:
    with pytest.raises(CloudError):
        parse_user(damaged)


def legacy(**changes: Any) -> dict[str, Any]:
    entry = {
        "usage": "NGC",
        "keyIdentifier": base64.b64encode(hashlib.sha256(MATERIAL).digest()).decode(),
        "keyMaterial": base64.b64encode(MATERIAL).decode(),
        "creationTime": "2019-05-01T10:11:12Z",
        "deviceId": DEVICE,
        "customKeyInformation": "AQAAAAACAAAAAAAAAAAA",
        "fidoAaGuid": None,
    }
    return {**entry, **changes}


def test_the_legacy_shape_is_read() -> None:
    parsed = parse_user({"objectId": "u1", "searchableDeviceKey": [legacy()], "immutableId": "AQ=="})
    assert isinstance(parsed.keys, Reported)
    (key,) = parsed.keys.keys
    assert (key.material, key.key_type, key.device_id) == (MATERIAL, "NGC", UUID(DEVICE))
    assert key.custom_key_information == bytes.fromhex("010000000002000000000000000000")
    assert parsed.source_anchor == b"\x01"


def test_a_legacy_key_whose_identifier_is_not_its_hash_is_illegible() -> None:
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    keys = parse_user({"id": "u1", "searchableDeviceKey": [legacy(keyIdentifier=other)]}).keys
    assert isinstance(keys, Unknown)
    assert keys.keys == ()


def test_a_legacy_fido_credential_has_an_identifier_of_its_own() -> None:
    keys = parse_user({"id": "u1", "searchableDeviceKey": [legacy(usage="FIDO", keyIdentifier="AQID")]}).keys
    assert isinstance(keys, Reported)
    assert keys.keys[0].key_type == "FIDO"


def test_a_user_with_both_shapes_is_not_guessed_at() -> None:
    assert isinstance(parse_user(user(deviceKeys=[], searchableDeviceKey=[legacy()])).keys, Unknown)


def test_copies_that_agree_are_one_user() -> None:
    copies = [parse_user(user(deviceKeys=[KEY])) for _ in range(3)]
    assert merge_copies(copies) == copies[0]


def test_copies_that_disagree_in_keys_are_unknown_with_what_all_agree_on() -> None:
    second = {**KEY, "keyMaterial": "AQID"}
    merged = merge_copies([parse_user(user(deviceKeys=[KEY, second])), parse_user(user(deviceKeys=[KEY]))])
    assert isinstance(merged.keys, Unknown)
    assert [key.material for key in merged.keys.keys] == [MATERIAL]


def test_a_reported_and_an_unknown_copy_are_unknown() -> None:
    merged = merge_copies([parse_user(user(deviceKeys=[])), parse_user(user())])
    assert isinstance(merged.keys, Unknown)


def test_copies_with_different_identities_can_not_be_matched() -> None:
    copies = [
        parse_user(
            user(onPremisesImmutableId=anchor, onPremisesSecurityIdentifier="S-1-5-21-1-2-3-4", deviceKeys=[KEY])
        )
        for anchor in ("AQ==", "Ag==")
    ]
    merged = merge_copies(copies)
    assert (merged.source_anchor, merged.sid) == (None, None)
    assert isinstance(merged.keys, Unknown)
    assert merged.keys.keys == ()
