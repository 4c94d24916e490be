"""Group policies as a real domain has them, read from its SYSVOL as the connector account."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support import group_policy
from tests.support.site import Site

from keytrust.lab import Lab

pytestmark = pytest.mark.lab


def judged(site: Site, **env: str) -> tuple[str, dict[str, Any]]:
    """The verdict, and what was seen by policy."""
    done = site.run("doctor", "--json", "--only", "policy", env=env)
    assert done.stdout, done.stderr
    [check] = json.loads(done.stdout)["checks"]
    return check["verdict"], {each["subject"]: each["seen"] for each in check["evidence"]}


def test_policies_are_read_and_what_cannot_be_read_never_passes(breakable_lab: Lab, tmp_path: Path) -> None:
    site, people = Site(breakable_lab, tmp_path), breakable_lab.spec.people_dn
    verdict, seen = judged(site)
    assert (verdict, list(seen)) == ("cannot tell", [None])
    assert "no group policy that can be read turns it on" in seen[None]
    with (
        group_policy.file_server(breakable_lab),
        group_policy.policy(breakable_lab, "Hello & so on", people, Enabled=1, RequireSecurityDevice=1) as folder,
    ):
        verdict, seen = judged(site)
        assert verdict == "pass", seen
        assert seen["Hello & so on"].startswith(f"turns it on for computers (linked to {people})")
        nothing = tmp_path / "bin"
        nothing.mkdir()
        for name in ("kinit", "klist"):
            (nothing / name).symlink_to(f"/usr/bin/{name}")
        verdict, seen = judged(site, PATH=str(nothing))
        assert (verdict, "smbclient, which is not installed" in seen["Hello & so on"]) == ("cannot tell", True), seen
        os.truncate(f"{folder}/Machine/Registry.pol", 20)
        verdict, seen = judged(site)
        assert (verdict, "is not legible" in seen["Hello & so on"]) == ("cannot tell", True), seen
        Path(f"{folder}/Machine/Registry.pol").unlink()
        verdict, seen = judged(site)
        assert (verdict, "NT_STATUS_OBJECT_NAME_NOT_FOUND" in seen["Hello & so on"]) == ("cannot tell", True), seen
