"""A lab of two domain controllers: they replicate, each can fail alone, and nothing of them is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import dns.resolver
import pytest
from tests.support.site import keytrust

from keytrust import config
from keytrust.directory.account import KEY_LINK
from keytrust.directory.domain import Domain
from keytrust.lab import Lab, LabUser

PATIENCE = 60.0


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_key_written_on_one_is_soon_on_the_other(pair_lab: Lab) -> None:
    user = LabUser(sam="replicated")
    pair_lab.add_users([user])
    settings = config.load(pair_lab.spec.config).need_directory(pair_lab.spec.domain)
    assert settings.servers == (pair_lab.spec.dc_host, pair_lab.spec.dc(2).dc_host)
    try:
        with (
            Domain(settings) as first,
            Domain(settings.model_copy(update={"servers": (pair_lab.spec.dc(2).dc_host,)})) as second,
        ):
            assert first.sid == second.sid
            account = first.find("replicated")
            until(lambda: account.guid in second.by_guid([account.guid]), "the account was not replicated")
            for here, there, content in ((first, second, "AA"), (second, first, "BB")):
                value = f"B:12:0002000000{content}:{account.dn}".encode()
                with closing(here.writer()) as writer:
                    writer.begin_add(account.guid, value)
                    assert writer.next_answer().verdict.name == "DONE"
                until(lambda at=there, v=value: v in at.values_of([account.guid])[account.guid], f"no {KEY_LINK}")  # type: ignore[misc]
    finally:
        pair_lab.delete_users([user])


def test_both_are_in_dns(pair_lab: Lab) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [pair_lab.spec.address]
    resolver.lifetime = PATIENCE
    for name in ("_ldap._tcp.dc._msdcs", "_kerberos._tcp"):
        found = resolver.resolve(f"{name}.{pair_lab.spec.domain}", "SRV")
        assert {answer.target.to_text(omit_final_dot=True).lower() for answer in found} == {
            pair_lab.spec.dc_host,
            pair_lab.spec.dc(2).dc_host,
        }
    [address] = resolver.resolve(pair_lab.spec.dc(2).dc_host, "A")
    assert address.to_text() == pair_lab.spec.dc(2).address


@pytest.mark.parametrize("failing", [1, 2])
def test_one_fails_the_other_signs_in_and_up_makes_it_whole(pair_lab: Lab, failing: int) -> None:
    pair_lab.dc(failing).stop_dc()
    assert not pair_lab.dc(failing).status().running
    assert pair_lab.dc(3 - failing).status().running
    with Domain(config.load(pair_lab.spec.config).need_directory(pair_lab.spec.domain)) as domain:
        assert domain.controller.host == pair_lab.spec.dc(3 - failing).dc_host
    pair_lab.up(lambda _: None)
    assert pair_lab.dc(failing).status().running


def test_the_second_domain_is_configured_and_shown(pair_lab: Lab) -> None:
    spec = pair_lab.spec
    status = keytrust("lab", "status", "--name", spec.name)
    assert status.returncode == 0, status.stderr
    for host in (spec.dc_host, spec.dc(2).dc_host, spec.second.dc_host):
        assert host in status.stdout
    assert list(config.load(spec.config).directories) == [spec.domain, spec.second.name]
    with Domain(config.load(spec.config).need_directory(spec.second.name)) as domain:
        assert domain.name == spec.second.domain


def test_a_controller_that_does_not_run_shows_in_the_status(pair_lab: Lab) -> None:
    pair_lab.dc(2).stop_dc()
    status = keytrust("lab", "status", "--name", pair_lab.spec.name)
    assert status.returncode == 1
    assert "stopped" in status.stdout
