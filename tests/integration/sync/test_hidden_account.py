"""An account that the connector account may see, but of which it may not read what kind of account it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import ldb
from tests.support.site import Site

from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

USER_ACCOUNT_CONTROL = "bf967a68-0de6-11d0-a285-00aa003049e2"


def test_it_gets_no_key_and_is_not_called_enabled(lab: Lab, make_user: Callable[..., LabUser], tmp_path: Path) -> None:
    site, user = Site(lab, tmp_path), make_user()
    site.register(site.account(user.sam))
    dn, connector = user.dn(lab.spec.base_dn), site.account(lab.spec.connector).sid
    [sddl] = ldb.values(lab, dn, "nTSecurityDescriptor")
    denied = sddl.decode().replace("(", f"(OD;;RP;{USER_ACCOUNT_CONTROL};;{connector})(", 1)
    with ldb.attributes(lab, dn, nTSecurityDescriptor=denied):
        planned = json.loads(site.run("plan", "--json").stdout)
        shown = site.run("show", user.sam)
        explained = site.run("explain", user.sam)
    assert [(each["code"], each["account"]["name"]) for each in planned["refusals"]] == [("unknown-state", user.sam)]
    assert planned["changes"] == []
    assert "whether it is enabled may not be read" in shown.stdout
    assert "userAccountControl may not be read" in explained.stdout
    assert site.run("plan").returncode == 2, "with it readable, the key is planned"
