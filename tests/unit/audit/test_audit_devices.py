"""The file of devices: as Graph lists them, and refused when it cannot be the whole list."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
from audit_world import subject

from keytrust.audit import devices
from keytrust.audit.devices import owns
from keytrust.audit.errors import AuditError

DEVICE = {
    "deviceId": str(UUID(int=1)).upper(),
    "displayName": "LAPTOP",
    "accountEnabled": False,
    "registeredOwners": [{"userPrincipalName": "Alice@corp.example"}],
}


@pytest.mark.parametrize(
    "text",
    [json.dumps([DEVICE]), json.dumps({"value": [DEVICE]}), json.dumps(DEVICE) + "\n", "\ufeff" + json.dumps([DEVICE])],
    ids=["list", "page", "lines", "mark"],
)
def test_every_usual_shape(tmp_path: Path, text: str) -> None:
    (tmp_path / "devices.json").write_text(text, encoding="utf-8")
    known = devices.load(tmp_path / "devices.json").get(str(UUID(int=1)))
    assert known is not None
    assert (known.name, known.enabled) == ("LAPTOP", False)
    assert owns(known, subject("alice"))
    assert not owns(known, subject("bob"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"value": [], "@odata.nextLink": "https://x"}', "[1]", '[{"deviceId": "x"}]', "not json", "[{}]"],
)
def test_what_cannot_be_the_whole_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "devices.json").write_text(text)
    with pytest.raises(AuditError, match="cannot be used"):
        devices.load(tmp_path / "devices.json")
