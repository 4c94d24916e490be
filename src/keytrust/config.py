"""The configuration: one TOML file, every field overridable by an environment variable.

``KEYTRUST_DIRECTORY__TIMEOUT=5`` overrides ``timeout`` in ``[directory]``. Secrets are never in it, only the names of
files that hold them.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from keytrust.alerts.settings import AlertSettings
from keytrust.cloud.settings import CloudSettings
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import ConfigError
from keytrust.registry.settings import RegistrySettings
from keytrust.service.settings import ServiceSettings
from keytrust.sync.policy import Policy
from keytrust.web.settings import WebSettings

PLACES = (Path("keytrust.toml"), Path("/etc/keytrust/keytrust.toml"))
"""Where the file is looked for when neither ``--config`` nor ``KEYTRUST_CONFIG`` names it."""

VARIABLE = "KEYTRUST_CONFIG"
NOT_DONE = "Nothing was read or changed."

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=100)]
"""What a domain is called on the command line and in file names."""


class StoreSettings(BaseModel):
    """The ``[store]`` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default="sqlite:////var/lib/keytrust/keytrust.db", repr=False)


class SigninSettings(BaseModel):
    """The ``[signin]`` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kdc_ca_file: Path | None = None


class Settings(BaseSettings):
    """The whole configuration. Each command asks for the tables that it needs."""

    model_config = SettingsConfigDict(
        env_prefix="KEYTRUST_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    directory: DirectorySettings | None = None
    domains: dict[Label, DirectorySettings] = Field(default_factory=dict)
    cloud: CloudSettings | None = None
    store: StoreSettings = StoreSettings()
    policy: Policy = Policy()
    service: ServiceSettings = ServiceSettings()
    signin: SigninSettings = SigninSettings()
    web: WebSettings | None = None
    alerts: AlertSettings = AlertSettings()
    registry: RegistrySettings | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment comes before the file, whose content is given to the constructor."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _no_name_means_two_things(self) -> Settings:
        names: dict[str, str] = {}
        first = [] if self.directory is None else [("[directory]", self.directory.dns_name, self.directory)]
        for label, name, directory in [*first, *((label, label, each) for label, each in self.domains.items())]:
            for each in {(name or "default").casefold(), (directory.domain or name or "default").casefold()}:
                if names.setdefault(each, label) != label:
                    raise ValueError(f"domains: {names[each]} and {label} are both called {each}")
        bare = sorted(filter(_could_be_anybody, self.policy.privileged_accounts))
        if bare and len(self.directories) > 1:
            raise ValueError(
                f"policy.privileged_accounts: {bare[0]} may be somebody else in another domain; give a UPN, SID or DN"
            )
        return self

    @property
    def directories(self) -> dict[str, DirectorySettings]:
        """Every configured domain by its label, in the order of the file.

        The domain of ``[directory]`` comes first; its label is its DNS name, as far as the configuration tells it.
        """
        first = {} if self.directory is None else {self.directory.dns_name or "default": self.directory}
        return first | self.domains

    def need_directories(self, only: str | None = None) -> dict[str, DirectorySettings]:
        """Every configured domain by its label; with ``only`` the one of that label or DNS name.

        Raises:
            ConfigError: there is none.
        """
        every = self.directories
        if not every:
            raise _missing("directory", "servers, principal and keytab")
        if only is None:
            return every
        wanted = only.casefold().rstrip(".")
        for label, each in every.items():
            if wanted in (label.casefold(), (each.dns_name or label).casefold()):
                return {label: each}
        raise ConfigError(
            f"The configuration has no domain {only}.", not_done=NOT_DONE, remedy=f"It has {', '.join(every)}."
        )

    def need_directory(self, only: str | None = None) -> DirectorySettings:
        """One domain: the only one that is configured, or that of the label or DNS name ``only``.

        Raises:
            ConfigError: there is none, or there are several and none was named.
        """
        chosen = self.need_directories(only)
        if len(chosen) > 1:
            raise ConfigError(
                f"The configuration has {len(chosen)} domains, and this works on one.",
                not_done=NOT_DONE,
                remedy=f"Name it with --domain: {', '.join(chosen)}.",
            )
        return next(iter(chosen.values()))

    def need_cloud(self) -> CloudSettings:
        """The ``[cloud]`` table.

        Raises:
            ConfigError: there is none.
        """
        if self.cloud is None:
            raise _missing(
                "cloud", 'kind = "graph", tenant_id, client_id and a secret, or kind = "registry", url and token_file'
            )
        return self.cloud

    def need_registry(self) -> RegistrySettings:
        """The ``[registry]`` table.

        Raises:
            ConfigError: there is none.
        """
        if self.registry is None:
            raise _missing("registry", "database_url")
        return self.registry


def load(path: Path | None = None) -> Settings:
    """Read the configuration from ``path``, or from where it is usually found.

    Raises:
        ConfigError: there is none, or it is mistaken; names the field and what is wrong with it.
    """
    found = _find(path)
    try:
        text = found.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The configuration {found} cannot be read: {error.strerror}.", not_done=NOT_DONE) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"The configuration {found} is not valid TOML: {error}.", not_done=NOT_DONE) from error
    return parse(text, f"The configuration {found}")


def parse(text: str, name: str) -> Settings:
    """Read a configuration that is at hand as text; ``name`` is what to call it in an error.

    Raises:
        ConfigError: it is mistaken; names the field and what is wrong with it.
    """
    try:
        return Settings(**tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{name} is not valid TOML: {error}.", not_done=NOT_DONE, remedy="Correct that line."
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"{name} is mistaken: {_faults(error)}.",
            not_done=NOT_DONE,
            remedy="docs/configure.md lists every field.",
        ) from error


def _find(path: Path | None) -> Path:
    named = path or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"There is no configuration file {named}.", not_done=NOT_DONE)
        return named
    for place in PLACES:
        if place.is_file():
            return place
    raise ConfigError(
        f"There is no configuration: neither {' nor '.join(str(place) for place in PLACES)} exists.",
        not_done=NOT_DONE,
        remedy=f"Name one with --config or {VARIABLE}. `keytrust lab up` writes one for the lab and prints its path.",
    )


def _could_be_anybody(name: str) -> bool:
    """Whether a name is a bare sAMAccountName, which every domain may have."""
    return "@" not in name and "=" not in name and not name.upper().startswith("S-1-")


def _faults(error: ValidationError) -> str:
    texts = []
    for fault in error.errors(include_input=False)[:5]:
        where = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        said = "there is no such field" if fault["type"] == "extra_forbidden" else said
        texts.append(f"{where}: {said}" if where else said)
    return "; ".join(texts)


def _missing(table: str, fields: str) -> ConfigError:
    return ConfigError(
        f"The configuration has no [{table}] table.",
        not_done=NOT_DONE,
        remedy=f"Add [{table}] with {fields}; docs/configure.md has an example.",
    )
