"""A self-hosted key registration service: [MS-KPP] registration and a Graph-shaped read of what was registered.

The names below are loaded when they are first used: the settings are part of every command's configuration, and the web
framework, which takes longer to load than most commands to run, is not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keytrust.registry.database import Database
    from keytrust.registry.devices import disable_device, enable_device, register_device
    from keytrust.registry.issuer import Issuer
    from keytrust.registry.server import running, serve
    from keytrust.registry.settings import RegistrySettings, TrustedIssuer
    from keytrust.registry.user_import import ImportedUser, ImportReport, import_users

__all__ = [
    "Database",
    "ImportReport",
    "ImportedUser",
    "Issuer",
    "RegistrySettings",
    "TrustedIssuer",
    "disable_device",
    "enable_device",
    "import_users",
    "register_device",
    "running",
    "serve",
]

_MODULES = {
    "Database": "database",
    "ImportReport": "user_import",
    "ImportedUser": "user_import",
    "Issuer": "issuer",
    "RegistrySettings": "settings",
    "TrustedIssuer": "settings",
    "disable_device": "devices",
    "enable_device": "devices",
    "import_users": "user_import",
    "register_device": "devices",
    "running": "server",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
