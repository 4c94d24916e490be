"""What an operator decides about a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keytrust.cloud.origin import is_loopback
from keytrust.directory.settings import Auth, DirectorySettings, HostName, Security


class TrustedIssuer(BaseModel):
    """Whose tokens are accepted, and for what.

    Attributes:
        issuer: The exact ``iss``. Without a key set it is a URL (https, or loopback) at which OpenID Connect Discovery
            tells where the keys are.
        jwks_file: Its public keys as a JSON Web Key Set on this host; read again when it changes.
        jwks_url: Or where it publishes them (https, or loopback).
        ca_file: Trust anchors for its server; the machine's own if None.
        may_register: Whether its tokens may register keys.
        may_call_graph: Whether its tokens may read (and, with the role, administer) the directory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, max_length=2048)
    jwks_file: Path | None = None
    jwks_url: str | None = None
    ca_file: Path | None = None
    may_register: bool = True
    may_call_graph: bool = True

    @property
    def discovery_url(self) -> str | None:
        """Where its OpenID Connect Discovery document is; None if its keys are named."""
        if self.jwks_file is not None or self.jwks_url is not None:
            return None
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"

    @model_validator(mode="after")
    def _one_key_set(self) -> Self:
        if self.jwks_file is not None and self.jwks_url is not None:
            raise ValueError("give jwks_file or jwks_url, or neither for OpenID Connect Discovery")
        if self.jwks_url is not None and not is_protected(self.jwks_url):
            raise ValueError("jwks_url must be https, or http on a loopback address")
        if self.discovery_url is not None and not is_protected(self.discovery_url):
            raise ValueError("without jwks_file or jwks_url the issuer must be an https URL, or http on loopback")
        return self


def is_protected(url: str) -> bool:
    """Whether what is read from a URL is what its owner wrote there: https, or http that stays on this host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


class SignInSettings(BaseModel):
    """The embedded sign-in: users prove themselves by their Active Directory password and a second factor.

    Attributes:
        servers: Host names of domain controllers, asked in this order.
        security: ``ldaps`` or ``starttls``.
        ca_file: Trust anchors for their certificates; the machine's own if None.
        timeout: Seconds to wait for one answer.
        issuer_name: What authenticator apps call the registry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: tuple[HostName, ...] = Field(min_length=1)
    security: Literal[Security.LDAPS, Security.STARTTLS] = Security.LDAPS
    ca_file: Path | None = None
    timeout: float = Field(default=10.0, gt=0, le=120)
    issuer_name: str = Field(default="keytrust", pattern=r"^[^:\x00-\x1f]{1,64}$")

    @property
    def directory(self) -> DirectorySettings:
        """How to reach the domain controllers; nobody signs in but the users."""
        given = {"servers": self.servers, "security": self.security, "ca_file": self.ca_file, "timeout": self.timeout}
        return DirectorySettings.model_validate({**given, "auth": Auth.CCACHE})


class RegistrySettings(BaseModel):
    """Settings of one registry.

    Attributes:
        database_url: An SQLAlchemy URL, ``sqlite:////var/lib/…`` or ``postgresql+psycopg://…``. Not shown in a repr,
            because it may hold a password.
        host: The address to listen at.
        port: The port; 0 takes any free one.
        tls_certificate: PEM certificate chain. Required unless ``host`` is loopback.
        tls_key: PEM private key for it, without a passphrase.
        public_url: How clients reach the registry; by default made from host and port.
        tenant_id: This directory's id in discovery.
        tenant_name: Its DNS-like name.
        issuers: Whose tokens are accepted.
        signing_keys: A private directory for the keys that sign the registry's own tokens; with it the registry issues
            tokens to the applications entered in it (OAuth 2.0 client credentials).
        sign_in: The embedded sign-in of users; None for a site whose users get their tokens from ``issuers``.
        mfa_max_age: How old the second factor may be at registration, seconds.
        leeway: Accepted difference of clocks, seconds.
        failures_per_minute: How many refused tokens and wrong secrets one client address may send in a minute before
            it is answered 429; 0 for no limit.
        registrations_per_minute: How many keys one user may register in a minute; 0 for no limit.
        trusted_proxies: Addresses and networks of proxies whose ``X-Forwarded-For`` is believed.
        deletion_limit: Most users that one import from Active Directory deletes (softly).
        deletion_share: Most as a share of the users there are. The lower of the two counts; one is always allowed.
        notification_hosts: Whom the registry may tell of changes, as host names, ``*.`` and a domain, addresses or
            networks.
        notification_ca_file: The only certificate authorities to trust there; by default the system's.
        log_requests: Whether every request is logged, one JSON line each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(repr=False)
    host: str = "127.0.0.1"
    port: int = Field(default=8443, ge=0, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    public_url: str | None = Field(default=None, pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~\-/]*)?$")
    tenant_id: UUID = UUID("6b657974-7275-4274-8000-000000000001")
    tenant_name: str = Field(default="keytrust.local", pattern=r"^[A-Za-z0-9.-]{1,253}$")
    issuers: tuple[TrustedIssuer, ...] = ()
    signing_keys: Path | None = None
    sign_in: SignInSettings | None = None
    mfa_max_age: float = Field(default=600.0, gt=0, le=86_400)
    leeway: float = Field(default=30.0, ge=0, le=600)
    failures_per_minute: int = Field(default=30, ge=0, le=100_000)
    registrations_per_minute: int = Field(default=30, ge=0, le=100_000)
    trusted_proxies: tuple[str, ...] = ()
    deletion_limit: int = Field(default=500, ge=1)
    deletion_share: float = Field(default=0.05, gt=0, le=1)
    notification_hosts: tuple[str, ...] = ("localhost", "127.0.0.0/8", "::1")
    notification_ca_file: Path | None = None
    log_requests: bool = True

    @model_validator(mode="after")
    def _sign_in_has_keys(self) -> Self:
        if self.sign_in is not None and self.signing_keys is None:
            raise ValueError("sign_in needs signing_keys, for the tokens that it issues")
        return self

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_certificate else 'http'}://{host}:{self.port}"

    @property
    def token_issuer(self) -> str:
        """The ``iss`` of the registry's own tokens."""
        return f"{self.url}/{self.tenant_id}/v2.0"

    @property
    def key_provision_resource(self) -> str:
        """KeyProvisionResourceId: the audience of a token that registers a key."""
        return f"urn:ms-drs:{urlsplit(self.url).hostname}"

    @property
    def graph_resource(self) -> str:
        """The audience of a token that reads or administers the directory."""
        return f"https://{urlsplit(self.url).hostname}"
