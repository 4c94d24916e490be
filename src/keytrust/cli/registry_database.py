"""The registry's database as its commands reach it, and who they say changes it."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

from keytrust.cli.options import settings

if TYPE_CHECKING:
    from keytrust.registry.database import Database


def open_registry() -> Database:
    """The configured registry's database. Raises ``RegistryError`` or ``ConfigError``."""
    from keytrust.registry.database import Database  # noqa: PLC0415 - slow to load

    return Database.open(settings().need_registry().database_url)


def actor() -> str:
    """Who changes the registry from its host, for the audit trail; with sudo, the one who called it."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # an account without a name, such as a container's
        name = str(os.getuid())
    return f"keytrust registry ({name})"
