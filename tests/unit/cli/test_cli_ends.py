"""How the program ends: exit codes, sentences instead of tracebacks, and secrets that stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.site import keytrust

from keytrust import config, interrupts
from keytrust.cli import main
from keytrust.config import load
from keytrust.errors import ConfigError


@pytest.mark.parametrize("arguments", [("plna",), ("plan", "--nonsense"), ("decode",), ("signin", "alice")])
def test_wrong_usage_has_an_exit_code_of_its_own(arguments: tuple[str, ...]) -> None:
    done = keytrust(*arguments)
    assert done.returncode == 64
    assert "Traceback" not in done.stderr


def test_help_teaches() -> None:
    for arguments in (
        (),
        ("plan",),
        ("apply",),
        ("sync",),
        ("undo",),
        ("show",),
        ("decode",),
        ("signin",),
        ("lab", "up"),
    ):
        done = keytrust(*arguments, "--help")
        assert done.returncode == 0
        assert "Usage:" in done.stdout


def test_without_configuration_the_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(config.VARIABLE, raising=False)
    monkeypatch.setattr(config, "PLACES", (Path("keytrust.toml"),))
    with pytest.raises(ConfigError, match=r"neither|no configuration"):
        load()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[directory", "is not valid TOML"),
        ("[directory]\nservers = []\n", "directory: name the domain, or domain controllers in servers"),
        ('[directory]\nservers = ["dc"]\n', "needs principal and keytab"),
        ('[directory]\nservers = ["dc"]\nauth = "ccache"\nsevrers = 1\n', "there is no such field"),
        ('[policy]\nallow = ["everything"]\n', "policy.allow"),
        ("[policy]\nremoval_share = 2\n", "policy.removal_share"),
        ('[cloud]\nkind = "file"\n', "needs path"),
        ("\xff", "is not valid TOML"),
    ],
)
def test_each_mistake_in_the_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "keytrust.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=says) as caught:
        load(file)
    assert caught.value.not_done


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keytrust.toml"
    file.write_text('[directory]\nservers = ["dc"]\nauth = "ccache"\ntimeout = 7\n')
    monkeypatch.setenv("KEYTRUST_DIRECTORY__TIMEOUT", "9")
    assert load(file).need_directory().timeout == 9
    assert load(file).need_directory().servers == ("dc",)


def test_a_missing_table_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "keytrust.toml"
    file.write_text("")
    done = keytrust("plan", env={config.VARIABLE: str(file)})
    assert done.returncode == 1
    assert "no [directory] table" in done.stderr
    assert "What to do:" in done.stderr


def test_a_database_password_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "keytrust.toml"
    file.write_text('[store]\nurl = "postgresql+psycopg://u:hunter2@127.0.0.1:1/x"\n')
    done = keytrust("history", "-v", env={config.VARIABLE: str(file)})
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert "hunter2" not in repr(load(file))


@pytest.mark.parametrize("how", [KeyboardInterrupt(), SystemExit(130)])
def test_an_interruption_says_where_to_look(
    how: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typer turns the one into the other, and says nothing."""

    def interrupted() -> None:
        raise how

    monkeypatch.setattr(main, "app", interrupted)
    monkeypatch.setattr(interrupts, "install", lambda: None)
    monkeypatch.setattr(main, "relax_garbage_collection", lambda: None)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert "keytrust history" in capsys.readouterr().err
