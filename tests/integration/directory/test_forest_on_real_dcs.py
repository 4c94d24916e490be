"""``keytrust forest`` on real domain controllers: two that replicate, and a second forest."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.site import keytrust

from keytrust.config import VARIABLE, load
from keytrust.directory import srv
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError
from keytrust.lab import Lab
from keytrust.service.link import Link

pytestmark = pytest.mark.lab


def test_everything_is_found_from_one_controller_and_one_that_is_dead_is_told(pair_lab: Lab) -> None:
    spec = pair_lab.spec
    pair_lab.dc(2).stop_dc()
    env = {VARIABLE: str(spec.config), "KEYTRUST_DIRECTORY__SERVERS": json.dumps([spec.dc_host])}
    done = keytrust("forest", "--json", "--nameserver", spec.address, env=env)
    assert done.returncode == 3, done.stderr
    first, second = json.loads(done.stdout)["forests"]
    assert (first["root"], first["schemaVersion"], second["root"]) == (spec.domain, 88, spec.second.domain)
    one, two = first["controllers"]
    assert (one["host"], one["primary"], one["reachable"], one["inDns"]) == (spec.dc_host, True, True, True)
    assert (two["host"], two["primary"], two["reachable"], two["inDns"]) == (spec.dc(2).dc_host, False, False, True)
    assert abs(one["clockOffset"]) < 60
    assert "4.24" in one["system"]
    assert "no answer" in two["fault"]
    shown = keytrust("forest", "--nameserver", spec.address, env=env | {"COLUMNS": "80"})
    for word in ("dc2", "no answer", "PDC", "writable", f"Forest {spec.second.domain}"):
        assert word in shown.stdout


def test_the_domains_name_is_enough(pair_lab: Lab) -> None:
    given = load(pair_lab.spec.config).need_directory(pair_lab.spec.domain)
    found = {"servers": (), "site": "Default-First-Site-Name", "nameservers": (pair_lab.spec.address,), "timeout": 30}
    pair_lab.dc(2).stop_dc()
    with Domain(DirectorySettings(**given.model_dump() | found)) as domain:
        assert domain.controller.host == pair_lab.spec.dc_host
    with (
        pytest.raises(DirectoryError, match="DNS names no"),
        Domain(DirectorySettings(**given.model_dump() | found | {"domain": "nothing.invalid"})),
    ):
        pass


def test_a_controller_tells_the_time_and_the_service_asks_it(pair_lab: Lab) -> None:
    link = Link(load(pair_lab.spec.config).need_directory(pair_lab.spec.domain))
    try:
        told = link.time()
    finally:
        link.drop()
    assert told is not None
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)


def test_controllers_are_found_by_dns_those_of_the_site_too(pair_lab: Lab) -> None:
    spec = pair_lab.spec
    both = {spec.dc_host, spec.dc(2).dc_host}
    for site in (None, "Default-First-Site-Name", "No-Such-Site"):
        assert set(srv.controllers(spec.domain, site, [spec.address], 30)) == both
    with pytest.raises(DirectoryError, match="DNS names no domain controller"):
        srv.controllers("nothing.invalid", None, [spec.address], 2)
