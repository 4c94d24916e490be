"""The configuration: one TOML file, every field overridable by an environment variable.

``KEYTRUST_DIRECTORY__TIMEOUT=5`` overrides ``timeout`` in ``[directory]``. Secrets are never in it, only the names of
files that hold them.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from keytrust.cloud.settings import CloudSettings
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import ConfigError
from keytrust.registry.settings import RegistrySettings
from keytrust.sync.policy import Policy

PLACES = (Path("keytrust.toml"), Path("/etc/keytrust/keytrust.toml"))
"""Where the file is looked for when neither ``--config`` nor ``KEYTRUST_CONFIG`` names it."""

VARIABLE = "KEYTRUST_CONFIG"
NOT_DONE = "Nothing was read or changed."


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
    cloud: CloudSettings | None = None
    store: StoreSettings = StoreSettings()
    policy: Policy = Policy()
    signin: SigninSettings = SigninSettings()
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

    def need_directory(self) -> DirectorySettings:
        """The ``[directory]`` table.

        Raises:
            ConfigError: there is none.
        """
        if self.directory is None:
            raise _missing("directory", "servers, principal and keytab")
        return self.directory

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
        content = tomllib.loads(found.read_text(encoding="utf-8"))
        return Settings(**content)
    except OSError as error:
        raise ConfigError(f"The configuration {found} cannot be read: {error.strerror}.", not_done=NOT_DONE) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The configuration {found} is not valid TOML: {error}.", not_done=NOT_DONE, remedy="Correct that line."
        ) from error
    except ValidationError as error:
        raise ConfigError(
            f"The configuration {found} is mistaken: {_faults(error)}.",
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


def _faults(error: ValidationError) -> str:
    texts = []
    for fault in error.errors(include_input=False)[:5]:
        where = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        texts.append(f"{where}: {'there is no such field' if fault['type'] == 'extra_forbidden' else said}")
    return "; ".join(texts)


def _missing(table: str, fields: str) -> ConfigError:
    return ConfigError(
        f"The configuration has no [{table}] table.",
        not_done=NOT_DONE,
        remedy=f"Add [{table}] with {fields}; docs/configure.md has an example.",
    )
