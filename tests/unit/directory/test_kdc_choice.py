"""Which KDC is asked first, and what becomes of those that stay silent."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keytrust.directory import kerberos
from keytrust.directory.kdc_choice import preferring
from keytrust.directory.kerberos import environment, ticket_cache
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError
from keytrust.private_folder import private_folder


def settings(folder: Path, timeout: float = 30) -> DirectorySettings:
    keytab, config = folder / "x.keytab", folder / "krb5.conf"
    keytab.touch()
    config.write_text("[libdefaults]\n    dns_lookup_kdc = false\n")
    return DirectorySettings(
        servers=("dc1.corp.example",), principal="x@CORP.EXAMPLE", keytab=keytab, krb5_config=config, timeout=timeout
    )


@pytest.fixture
def cache() -> Iterator[Path]:
    with private_folder("krb5") as folder:
        yield folder / "ccache"


def test_the_controller_that_is_talked_to_goes_before_the_usual_configuration(tmp_path: Path, cache: Path) -> None:
    given = settings(tmp_path)
    first, _, rest = environment(given, cache, "DC2.corp.example.")["KRB5_CONFIG"].partition(":")
    assert rest == str(given.krb5_config)
    assert Path(first).read_text().split() == [
        "[realms]",
        "CORP.EXAMPLE",
        "=",
        "{",
        "kdc",
        "=",
        "dc2.corp.example",
        "}",
    ]
    assert environment(given, cache)["KRB5_CONFIG"] == str(given.krb5_config)


@pytest.mark.parametrize("server", ["127.0.0.1", "dc1", "a}b.corp.example", "dc1.corp.example\nx", "::1", ""])
def test_what_is_no_full_host_name_changes_nothing(cache: Path, server: str) -> None:
    assert preferring(server, cache) is None


def test_nothing_is_written_beside_a_cache_of_the_operator(tmp_path: Path) -> None:
    assert preferring("dc1.corp.example", tmp_path / "krb5cc") is None
    assert list(tmp_path.iterdir()) == []


def kinit(monkeypatch: pytest.MonkeyPatch, answers: dict[str, float | str]) -> list[tuple[str, float]]:
    """Replaces kinit: per host whose configuration comes first, silence for good (a number), or what it says."""
    asked: list[tuple[str, float]] = []

    def run(
        command: list[str], *, env: dict[str, str], timeout: float, **_: object
    ) -> subprocess.CompletedProcess[str]:
        host = Path(env["KRB5_CONFIG"].partition(":")[0]).stem
        asked.append((host, timeout))
        answer = answers[host]
        if not isinstance(answer, str):
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, 1 if answer else 0, "", answer)

    monkeypatch.setattr(kerberos.subprocess, "run", run)
    return asked


HOSTS = ("dc1.corp.example", "dc2.corp.example", "dc3.corp.example", "dc4.corp.example")


def test_one_that_is_silent_is_told_and_the_next_one_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kinit(monkeypatch, {HOSTS[0]: 0, HOSTS[1]: ""})
    silent: list[str] = []
    with ticket_cache(settings(tmp_path), HOSTS, silent.append):
        pass
    assert (asked, silent) == ([(HOSTS[0], 5.0), (HOSTS[1], 5.0)], [HOSTS[0]])


def test_the_last_of_three_has_the_whole_time_out_in_which_the_usual_ones_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = kinit(monkeypatch, dict.fromkeys(HOSTS, 0))
    with pytest.raises(DirectoryError, match="no domain controller answered"), ticket_cache(settings(tmp_path), HOSTS):
        pass
    assert asked == [(HOSTS[0], 5.0), (HOSTS[1], 5.0), (HOSTS[2], 30.0)]


def test_a_refusal_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kinit(monkeypatch, {HOSTS[0]: "kinit: Preauthentication failed"})
    with pytest.raises(DirectoryError, match="password or key was refused"), ticket_cache(settings(tmp_path), HOSTS):
        pass
    assert len(asked) == 1


def test_mits_library_asks_the_usual_ones_when_the_chosen_one_is_not_there(tmp_path: Path) -> None:
    """Real kinit: the chosen name (RFC 2606) has no address; the KDC of the usual configuration is asked instead."""
    given = settings(tmp_path, timeout=10)
    assert given.krb5_config is not None
    with socket.create_server(("127.0.0.1", 0)) as usual:
        given.krb5_config.write_text(
            "[libdefaults]\n    dns_lookup_kdc = false\n    udp_preference_limit = 1\n"
            f"[realms]\n    NOWHERE.INVALID = {{\n        kdc = 127.0.0.1:{usual.getsockname()[1]}\n    }}\n"
        )
        by_password = {"auth": "password", "principal": "x@NOWHERE.INVALID", "password_file": given.krb5_config}
        given = given.model_copy(update=by_password | {"timeout": 3})
        usual.settimeout(10)
        began = time.monotonic()
        with pytest.raises(DirectoryError), ticket_cache(given, ("dc1.nowhere.invalid",)):
            pass
        usual.accept()[0].close()
        assert time.monotonic() - began < 9
