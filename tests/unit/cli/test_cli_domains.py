"""Several domains in one configuration file: what they are called, and which names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.site import keytrust

from keytrust import config
from keytrust.config import Settings, load
from keytrust.errors import ConfigError

DIRECTORY = '[directory]\nservers = ["dc1.corp.example"]\nauth = "ccache"\n'
NORTH = '[domains.north]\nservers = ["dc1.north.corp.example"]\nauth = "ccache"\n'
SOUTH = '[domains."south.example"]\ndomain = "South.Example"\nservers = ["dc"]\nauth = "ccache"\n'


def _load(folder: Path, content: str) -> Settings:
    file = folder / "keytrust.toml"
    file.write_text(content)
    return load(file)


def test_domains_come_in_the_order_of_the_file_under_their_labels(tmp_path: Path) -> None:
    given = _load(tmp_path, NORTH + DIRECTORY + SOUTH)
    assert list(given.directories) == ["corp.example", "north", "south.example"]
    assert given.directories["south.example"].domain == "south.example"


def test_one_table_alone_is_one_domain_called_by_its_name(tmp_path: Path) -> None:
    assert list(_load(tmp_path, DIRECTORY).directories) == ["corp.example"]
    assert list(_load(tmp_path, DIRECTORY.replace("dc1.corp.example", "dc1")).directories) == ["default"]
    assert list(_load(tmp_path, NORTH).directories) == ["north"]


@pytest.mark.parametrize("name", ["north", "NORTH", "north.corp.example", "north.corp.example."])
def test_a_domain_is_named_by_label_or_dns_name(tmp_path: Path, name: str) -> None:
    given = _load(tmp_path, DIRECTORY + NORTH)
    assert list(given.need_directories(name)) == ["north"]
    assert given.need_directory(name).servers == ("dc1.north.corp.example",)


def test_what_works_on_one_domain_asks_which(tmp_path: Path) -> None:
    given = _load(tmp_path, DIRECTORY + NORTH)
    with pytest.raises(ConfigError, match="2 domains") as caught:
        given.need_directory()
    assert "--domain" in caught.value.remedy
    with pytest.raises(ConfigError, match="no domain west"):
        given.need_directories("west")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (DIRECTORY + NORTH.replace("domains.north", 'domains."corp.example"'), "both called corp.example"),
        (SOUTH + SOUTH.replace('domains."south.example"', "domains.again"), "both called south.example"),
        (NORTH.replace("domains.north", 'domains."no/rth"'), "domains"),
        (NORTH + "sevrers = 1\n", "there is no such field"),
        (NORTH + "domain = 'no dots'\n", "domains.north.domain"),
        (DIRECTORY + NORTH + "[policy]\nprivileged_accounts = ['adm-alice']\n", "adm-alice may be somebody else"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        _load(tmp_path, content)


def test_privileged_accounts_of_several_domains_are_named_unmistakably(tmp_path: Path) -> None:
    names = "['a@corp.example', 'S-1-5-21-1-2-3-4', 'CN=x,DC=corp,DC=example']"
    assert _load(tmp_path, DIRECTORY + NORTH + f"[policy]\nprivileged_accounts = {names}\n").policy.privileged_accounts
    assert _load(tmp_path, DIRECTORY + "[policy]\nprivileged_accounts = ['adm-alice']\n").policy.privileged_accounts


def test_the_environment_overrides_one_field_of_one_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYTRUST_DOMAINS__NORTH__TIMEOUT", "9")
    given = _load(tmp_path, DIRECTORY + NORTH)
    assert given.directories["north"].timeout == 9
    assert given.directories["north"].servers == ("dc1.north.corp.example",)
    assert given.directories["corp.example"].timeout == 30


def test_a_label_that_is_not_configured_is_an_error_that_lists_those_that_are(tmp_path: Path) -> None:
    file = tmp_path / "keytrust.toml"
    file.write_text(DIRECTORY + NORTH)
    for command in (("show", "alice"), ("undo", "last"), ("plan",), ("sync",)):
        done = keytrust(*command, "--domain", "west", env={config.VARIABLE: str(file)})
        assert done.returncode == 1
        assert "no domain west" in done.stderr
        assert "corp.example, north" in done.stderr
