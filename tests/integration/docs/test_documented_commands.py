"""The documentation says what is so: its commands do what it says, its names exist, and nothing is left out."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from documented_world import STATES, World
from documents import PAGES, ROOT, anchors, blocks, commands, links, mentioned, section
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from tests.support.site import Site

from keytrust.alerts.settings import AlertSettings
from keytrust.cli.exits import ExitCode
from keytrust.cli.main import app
from keytrust.cloud.settings import CloudSettings, NotificationSettings
from keytrust.config import Settings, SigninSettings, StoreSettings
from keytrust.directory.settings import DirectorySettings, ScopeSettings
from keytrust.lab import Lab, LabUser
from keytrust.registry.settings import RegistrySettings, SignInSettings, TrustedIssuer
from keytrust.service.settings import ServiceSettings
from keytrust.sync.journal import Outcome
from keytrust.sync.model import ConflictCode, RefusalCode
from keytrust.sync.policy import Allow, Policy
from keytrust.web.settings import WebSettings

CONFIGURE = ROOT / "docs/configure.md"
OPERATE = ROOT / "docs/operate.md"

with_commands = [page for page in PAGES if any(block.language == "console" for block in blocks(page))]


def _name(value: object) -> str:
    return value.name if isinstance(value, Path) else getattr(value, "__name__", str(value))


# -- commands -----------------------------------------------------------------------------------------------------


@pytest.mark.lab
@pytest.mark.parametrize("page", with_commands, ids=_name)
def test_commands_end_as_the_page_says(page: Path, lab: Lab, tmp_path: Path, make_user: Callable[..., LabUser]) -> None:
    world = World(Site(lab, tmp_path), make_user)
    for block in blocks(page):
        if block.language == "console":
            if block.given is not None:
                world.bring_about(block.given)
            for command in commands(block):
                code, wrote = world.run(command)
                assert code == command.exits_with, f"keytrust {' '.join(command.words)}\n{wrote}"


def test_the_pages_that_teach_commands_have_some_that_are_run() -> None:
    assert {"README.md", "install.md", "operate.md", "recover.md"} <= {page.name for page in with_commands}
    assert {block.given for page in PAGES for block in blocks(page)} - {None} == set(STATES)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_that_are_not_run_are_spelled_as_the_program_knows_them(page: Path) -> None:
    for words in mentioned(page):
        name = list(takewhile(lambda word: not word.startswith("-"), words))
        command = _tree()[()]
        while name and hasattr(command, "commands"):
            word = name.pop(0)
            assert word in command.commands, f"keytrust {' '.join(words)}: there is no command {word}"
            command = command.commands[word]
        known = {spelling for parameter in command.params for spelling in parameter.opts} | {"--help", "-h"}
        unknown = {word for word in words if word.startswith("-") and word != "-"} - known
        assert not unknown, f"keytrust {' '.join(words)}"


def test_every_command_and_option_is_documented() -> None:
    text = " ".join(" ".join(page.read_text(encoding="utf-8").split()) for page in PAGES)
    missing = []
    for path, command in _tree().items():
        group, name = " ".join(("keytrust", *path[:-1])), path[-1] if path else ""
        # A group's commands may be listed after one of them: `keytrust lab up`, `down`.
        if name and not re.search(rf"`{group} (\w+`, `)*{name}\b", text):
            missing.append(f"{group} {name}")
        options = {max(parameter.opts, key=len) for parameter in command.params if parameter.opts[0].startswith("-")}
        missing += [f"{' '.join(path)} {option}" for option in options if not re.search(rf"{option}(?![\w-])", text)]
    assert not missing


@cache
def _tree() -> dict[tuple[str, ...], Any]:
    """Every command by its path, the program itself by the empty one."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, command
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*path, name))

    return dict(walk(typer.main.get_command(app), ()))


def test_every_code_that_an_operator_meets_is_explained() -> None:
    text = OPERATE.read_text(encoding="utf-8")
    codes = [*ConflictCode, *RefusalCode, *(outcome for outcome in Outcome if outcome is not Outcome.CONFIRMED)]
    assert [code for code in codes if f"**`{code}`**" not in text] == []
    exits = {int(row) for row in re.findall(r"^\| (\d+) \|", section(OPERATE, "Exit codes"), re.MULTILINE)}
    assert exits == {int(code) for code in ExitCode}


# -- configuration ------------------------------------------------------------------------------------------------

TABLES: dict[str, type[BaseModel]] = {
    "directory": DirectorySettings,
    "directory.scope": ScopeSettings,
    "cloud": CloudSettings,
    "cloud.notifications": NotificationSettings,
    "store": StoreSettings,
    "policy": Policy,
    "service": ServiceSettings,
    "web": WebSettings,
    "alerts": AlertSettings,
    "signin": SigninSettings,
    "registry": RegistrySettings,
    "registry.issuers": TrustedIssuer,
    "registry.sign_in": SignInSettings,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_field_is_documented_with_its_default_and_no_other(table: str) -> None:
    text = section(CONFIGURE, table).split("\n### ")[0]
    documented = dict(re.findall(r"^- \*\*`(\w+)`\*\* \((?:default )?(.+?)\):", text, re.MULTILINE))
    assert documented == {name: _default(field) for name, field in TABLES[table].model_fields.items()}


def test_every_table_and_every_choice_is_documented() -> None:
    # Each [domains.LABEL] is a [directory] under another name.
    assert {name for name in TABLES if "." not in name} | {"domains"} == set(Settings.model_fields)
    assert section(CONFIGURE, "domains")
    text = CONFIGURE.read_text(encoding="utf-8")
    annotations = [field.annotation for model in TABLES.values() for field in model.model_fields.values()]
    kinds: list[type[Enum]] = [*_enums(annotations), Allow]
    choices = [choice for kind in kinds for choice in kind]
    assert len(choices) > 15
    assert [choice.value for choice in choices if f'`"{choice.value}"`' not in text] == []


def _enums(annotations: list[Any]) -> Iterator[type[Enum]]:
    for annotation in annotations:
        for kind in (annotation, *getattr(annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Enum):
                yield kind


def _default(field: Any) -> str:
    default = field.default
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        return "a table of its own"
    if isinstance(default, Enum):
        default = default.value
    if isinstance(default, tuple | frozenset):
        default = list(default)
    return f"`{json.dumps(default, default=str)}`"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_configuration_examples_are_valid(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            Settings(**tomllib.loads(block.text))


# -- names and links ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link}: there is no such file"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, new = set[Path](), {ROOT / "README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        found = {(page.parent / link.partition("#")[0]).resolve() for link in links(page) if not link.startswith("#")}
        new |= (found & set(PAGES)) - reached
    assert [page.name for page in PAGES if page not in reached] == []


def test_the_code_and_the_tests_that_the_maintainers_page_names_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    sources = {path.relative_to(ROOT / "src/keytrust").as_posix() for path in (ROOT / "src/keytrust").rglob("*.py")}
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`([\w/]+\.py)`", text)
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).is_file() or any(f"/{source}".endswith(f"/{name}") for source in sources), name
    promised = re.findall(r"`(test_\w+)`", text)
    assert len(promised) > 20
    assert [name for name in promised if f"def {name}(" not in tests] == []
