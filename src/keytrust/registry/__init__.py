"""A self-hosted key registration service: [MS-KPP] registration and a Graph-shaped read of what was registered."""

from keytrust.registry.database import Database
from keytrust.registry.devices import disable_device, enable_device, register_device
from keytrust.registry.issuer import Issuer
from keytrust.registry.server import running, serve
from keytrust.registry.settings import RegistrySettings, TrustedIssuer
from keytrust.registry.users import ImportedUser, ImportReport, import_users

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
