"""Facts about the domain and its domain controllers, each of which may be missing and then says why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509

KEY_TRUST_LEVEL = 7
"""msDS-Behavior-Version of Windows Server 2016, the first that signs users in by key."""


@dataclass(frozen=True, slots=True)
class Unread:
    """In place of a fact: why it could not be read."""

    why: str


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What the directory says of the domain and its forest.

    Attributes:
        name: DNS name of the domain.
        level: Domain functional level (4 is 2008 R2, 7 is 2016).
        forest_level: Forest functional level.
        schema_version: objectVersion of the schema (87 is 2016).
        key_link: schemaIDGUID of msDS-KeyCredentialLink in text form; None when the schema does not have it.
    """

    name: str
    level: int
    forest_level: int
    schema_version: int | None
    key_link: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What the directory says of a domain controller.

    Attributes:
        site: Name of its site.
        level: msDS-Behavior-Version; None when it cannot be seen.
        system: operatingSystem, such as "Windows Server 2019 Standard" or "Samba-4.24.7".
        version: operatingSystemVersion, such as "10.0 (17763)".
        read_only: An RODC.
        guid: objectGUID of its nTDSDSA object in text form, its name under ``_msdcs``.
    """

    site: str
    level: int | None
    system: str
    version: str
    read_only: bool
    guid: str = ""

    @property
    def samba(self) -> bool:
        """Whether it is Samba; else it is taken for Windows."""
        return "samba" in self.system.lower()


@dataclass(frozen=True, slots=True)
class Root:
    """What a domain controller says of itself to anybody (its rootDSE).

    Attributes:
        vendor: Product and version.
        samba: Whether it is Samba.
        level: domainControllerFunctionality.
        read_only: An RODC.
        offset: Its clock less ours, in seconds; None when it does not say the time.
    """

    vendor: str
    samba: bool
    level: int
    read_only: bool
    offset: float | None


@dataclass(frozen=True, slots=True)
class KdcAnswer:
    """A KDC's answer to a request for a ticket without pre-authentication (RFC 4120 section 3.1).

    Attributes:
        code: Error code of the KRB-ERROR; None when it gave a ticket just like that.
        offered: The pre-authentication types that it offers (RFC 4120 section 7.5.2); empty when it names none.
        offset: Its clock less ours, in seconds; None when it did not say the time.
    """

    code: int | None
    offered: frozenset[int]
    offset: float | None


@dataclass(frozen=True, slots=True)
class KeyTrial:
    """What a KDC said to a sign-in with a key that nobody has registered.

    Attributes:
        code: Error code of its KRB-ERROR; None when it gave a ticket.
    """

    code: int | None


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether a TLS client that verifies accepts a domain controller's certificate.

    Attributes:
        anchors: The file of authorities that was used, or the machine's own list.
        refused: OpenSSL's reason for refusing; empty when it was accepted.
    """

    anchors: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ControllerFacts:
    """One domain controller, as the directory lists it and as it answers.

    Attributes:
        host: Its DNS name.
        listing: What the directory says of it.
        root: Its rootDSE.
        ldaps: The certificate it shows on port 636.
        starttls: The certificate it shows after StartTLS on port 389.
        trust: Whether its certificate is accepted.
        kdc_tcp: Its KDC's answer over TCP.
        kdc_udp: The same over UDP.
        kdc_key: What its KDC said to a key that nobody has.
        ports: For each TCP port that the configuration needs: why no connection was had, or nothing when one was.
    """

    host: str
    listing: Listing | Unread
    root: Root | Unread
    ldaps: x509.Certificate | Unread
    starttls: x509.Certificate | Unread
    trust: Trust | Unread
    kdc_tcp: KdcAnswer | Unread
    kdc_udp: KdcAnswer | Unread
    kdc_key: KeyTrial | Unread
    ports: Mapping[int, str] | Unread

    @property
    def site(self) -> str:
        """Its site; empty when not known."""
        return "" if isinstance(self.listing, Unread) else self.listing.site

    @property
    def samba(self) -> bool | None:
        """Whether it is Samba; None when nobody says."""
        if not isinstance(self.root, Unread):
            return self.root.samba
        return None if isinstance(self.listing, Unread) else self.listing.samba

    @property
    def level(self) -> int | None:
        """Its functional level, as it says itself or else as the directory says."""
        if not isinstance(self.root, Unread):
            return self.root.level
        return None if isinstance(self.listing, Unread) else self.listing.level

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The different certificates that it shows."""
        shown = [each for each in (self.ldaps, self.starttls) if not isinstance(each, Unread)]
        return tuple(dict.fromkeys(shown))
