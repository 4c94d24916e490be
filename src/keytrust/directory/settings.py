"""How to reach a domain: which servers, protected how, signed in as whom."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

HostName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\s/@]+$")]

Address = Annotated[str, AfterValidator(lambda text: str(ip_address(text)))]
DnsName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=255,
        pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)+$",
    ),
]


Selector = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Security(StrEnum):
    """How a connection is protected. There is no unprotected choice."""

    GSSAPI = "gssapi"
    """Kerberos signs and seals on port 389."""
    LDAPS = "ldaps"
    """TLS from the first byte on port 636; the server's certificate is verified."""
    STARTTLS = "starttls"
    """TLS after StartTLS on port 389; the server's certificate is verified."""


class Auth(StrEnum):
    """Where the connector account's credentials come from."""

    KEYTAB = "keytab"
    CCACHE = "ccache"
    PASSWORD = "password"  # noqa: S105 - the name of a method, not a secret


class DialectChoice(StrEnum):
    """Which form of key credential to write; see docs/configure.md."""

    AUTO = "auto"
    ENTRA = "entra"
    PORTABLE = "portable"


class ScopeSettings(BaseModel):
    """The ``[directory.scope]`` table, and each ``[domains.LABEL.scope]``: whom to work on; by default all.

    Attributes:
        groups: Members of any of these groups, directly or by groups in groups: sAMAccountName, SID or DN.
        ous: Accounts anywhere below any of these organizational units (DN).
        filter: Accounts that this LDAP filter selects.
        remove_on_leave: Remove the keys that keytrust wrote from accounts that leave the scope.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: tuple[Selector, ...] = ()
    ous: tuple[Selector, ...] = ()
    filter: str | None = Field(default=None, pattern=r"^\(.+\)$", max_length=4000)
    remove_on_leave: bool = False

    @property
    def everybody(self) -> bool:
        """Whether nothing is left out."""
        return not (self.groups or self.ous or self.filter)


class DirectorySettings(BaseModel):
    """The ``[directory]`` table of ``keytrust.toml``, and each ``[domains.LABEL]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: DnsName | None = Field(None, description="The domain's DNS name; another domain is then refused.")
    servers: tuple[HostName, ...] = Field((), description="Host names of domain controllers; else DNS is asked.")
    site: str | None = Field(None, pattern=r"^[^\s.]+$", description="The site whose domain controllers are preferred.")
    nameservers: tuple[Address, ...] = Field((), description="DNS servers to ask; default: the machine's own.")
    security: Security = Security.GSSAPI
    auth: Auth = Auth.KEYTAB
    principal: str | None = Field(None, description="The connector account: name@REALM, or a DN or UPN with TLS.")
    keytab: Path | None = None
    ccache: Path | None = None
    password_file: Path | None = Field(None, description="A file that holds the password and nothing else.")
    krb5_config: Path | None = None
    ca_file: Path | None = Field(None, description="Trust anchors for TLS; default: the machine's own.")
    dialect: DialectChoice = DialectChoice.AUTO
    timeout: float = Field(30.0, gt=0, le=600, description="Seconds to wait for one answer.")
    page_size: int = Field(1000, ge=1, le=5000)
    scope: ScopeSettings = ScopeSettings()
    in_flight: int = Field(32, ge=1, le=256, description="Changes sent to a domain controller before its answers.")

    @property
    def dns_name(self) -> str | None:
        """The domain's DNS name as far as the configuration tells it: ``domain``, else from the first server's name."""
        if self.domain is not None or not self.servers:
            return self.domain
        host, _, rest = self.servers[0].rstrip(".").partition(".")
        return rest.lower() if rest and not host.isdigit() else None

    @model_validator(mode="after")
    def _there_is_a_way_in(self) -> DirectorySettings:
        if not self.servers and self.domain is None:
            raise ValueError("name the domain, or domain controllers in servers")
        return self

    @model_validator(mode="after")
    def _credentials_are_named(self) -> DirectorySettings:
        needed = {
            Auth.KEYTAB: ("principal", "keytab"),
            Auth.CCACHE: (),
            Auth.PASSWORD: ("principal", "password_file"),
        }[self.auth]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f'auth = "{self.auth}" needs {" and ".join(missing)}')
        return self
