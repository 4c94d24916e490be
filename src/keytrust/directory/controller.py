"""What one domain controller says of itself in its rootDSE, and what follows for us. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keytrust.credential import Dialect
from keytrust.directory.account import Entry
from keytrust.directory.settings import DialectChoice
from keytrust.directory.times import generalized_time
from keytrust.errors import DirectoryError

ROOT_DSE = (
    "defaultNamingContext",
    "configurationNamingContext",
    "schemaNamingContext",
    "rootDomainNamingContext",
    "dnsHostName",
    "serverName",
    "vendorName",
    "vendorVersion",
    "domainFunctionality",
    "forestFunctionality",
    "domainControllerFunctionality",
    "supportedCapabilities",
    "currentTime",
)

ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"
"""LDAP_CAP_ACTIVE_DIRECTORY_OID, [MS-ADTS] 3.1.1.3.4.3.1."""
PARTIAL_SECRETS = "1.2.840.113556.1.4.1920"
"""LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID: a read-only domain controller."""

KEY_TRUST_LEVEL = 7
"""domainControllerFunctionality of Windows Server 2016, the first that signs users in by key."""


@dataclass(frozen=True, slots=True)
class DomainController:
    """A domain controller's account of itself.

    Attributes:
        host: Its own DNS name.
        domain: DN of the domain naming context it holds, and so the domain that we work on.
        configuration: DN of the configuration naming context.
        schema: DN of the schema naming context.
        samba: Whether it is Samba; else it is taken for Windows.
        vendor: Its product and version for people.
        level: domainControllerFunctionality; 7 is 2016.
        domain_level: domainFunctionality.
        forest_level: forestFunctionality.
        read_only: An RODC, which takes no changes.
    """

    host: str
    domain: str
    configuration: str
    schema: str
    samba: bool
    vendor: str
    level: int
    domain_level: int
    forest_level: int
    read_only: bool

    def dialect(self, choice: DialectChoice) -> Dialect:
        """The form of key credential to write here.

        Samba's KDC cannot decode the 15-byte CustomKeyInformation that Entra Connect writes, and ignores such a key.
        """
        if choice is DialectChoice.AUTO:
            return Dialect.PORTABLE if self.samba else Dialect.ENTRA
        return Dialect(choice.value)


def from_root_dse(server: str, entry: Entry) -> DomainController:
    """Read a rootDSE.

    Raises:
        DirectoryError: what answers is not an Active Directory domain controller.
    """

    def text(attribute: str) -> str:
        values = entry.get(attribute)
        return values[0].decode("utf-8", "replace") if values else ""

    def level(attribute: str) -> int:
        value = text(attribute)
        return int(value) if value.isascii() and value.isdigit() else 0

    capabilities = {value.decode("ascii", "replace") for value in entry.get("supportedCapabilities", ())}
    if ACTIVE_DIRECTORY not in capabilities or not text("defaultNamingContext"):
        raise DirectoryError(
            f"{server} answers LDAP but is not an Active Directory domain controller.",
            not_done="Nothing was read or changed.",
            remedy="Name a domain controller in servers.",
        )
    vendor = text("vendorName")
    return DomainController(
        host=text("dnsHostName") or server,
        domain=text("defaultNamingContext"),
        configuration=text("configurationNamingContext"),
        schema=text("schemaNamingContext"),
        samba="samba" in vendor.lower(),
        vendor=" ".join(part for part in (vendor or "Windows", text("vendorVersion")) if part),
        level=level("domainControllerFunctionality"),
        domain_level=level("domainFunctionality"),
        forest_level=level("forestFunctionality"),
        read_only=PARTIAL_SECRETS in capabilities,
    )


def time_of(entry: Entry) -> datetime | None:
    """What time it is by the clock of whose rootDSE this is, cut off to seconds; None when it does not say."""
    return generalized_time(next(iter(entry.get("currentTime", ())), b""))
