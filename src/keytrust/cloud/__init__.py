"""Where keys are registered: the ``KeySource`` protocol, Microsoft Graph (and the registry), exported files.

``GraphSource`` and ``FileSource`` live in their own modules so that code which only needs the types does not load an
HTTP client.
"""

from keytrust.cloud.one_user import UserName, UserSource
from keytrust.cloud.source import (
    NGC,
    CloudUser,
    KeyList,
    KeySource,
    Progress,
    RegisteredKey,
    Reported,
    Unknown,
)

__all__ = [
    "NGC",
    "CloudUser",
    "KeyList",
    "KeySource",
    "Progress",
    "RegisteredKey",
    "Reported",
    "Unknown",
    "UserName",
    "UserSource",
]
