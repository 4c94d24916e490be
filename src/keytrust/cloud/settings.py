"""Where keys are registered, and how we prove there who we are: the ``[cloud]`` table of the configuration."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keytrust.cloud.origin import is_loopback

GRAPH = "https://graph.microsoft.com"
AUTHORITIES = {
    "graph.microsoft.com": "https://login.microsoftonline.com",
    "graph.microsoft.us": "https://login.microsoftonline.us",
    "dod-graph.microsoft.us": "https://login.microsoftonline.us",
    "microsoftgraph.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}
"""Who issues the tokens of each national cloud's Graph."""

_SECRETS = ("client_secret_file", "client_secret_env", "client_secret_credential")


class CloudKind(StrEnum):
    """Where keys are registered."""

    GRAPH = "graph"
    """Microsoft Graph, or anything else shaped like it, with tokens of an application."""
    REGISTRY = "registry"
    """keytrust's own registry, or anything else shaped like Microsoft Graph, with a bearer token from a file."""
    FILE = "file"
    """An exported file."""


class CredentialKind(StrEnum):
    """How an application proves who it is."""

    SECRET = "secret"  # noqa: S105 - the name of a kind
    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed-identity"
    WORKLOAD_IDENTITY = "workload-identity"


class NotificationSettings(BaseModel):
    """The ``[cloud.notifications]`` table: how the service tells us at once that something changed.

    Attributes:
        url: Where the service reaches us, from its point of view; each instance needs one of its own. https, or http
            to a loopback address.
        host: The address to listen at.
        port: The port.
        certificate: PEM certificate chain. Required unless ``host`` is loopback (behind a proxy that does TLS).
        key: PEM private key for it, without a passphrase.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(max_length=2048)
    host: str = "127.0.0.1"
    port: int = Field(default=8944, ge=0, le=65535)
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        url = urlsplit(self.url)
        local = url.scheme == "http" and is_loopback(url.hostname or "")
        if (url.scheme != "https" and not local) or not url.hostname or url.query or url.fragment or url.username:
            raise ValueError("url must be https://host[:port][/path], or http to a loopback address")
        if self.certificate is None and not is_loopback(self.host):
            raise ValueError("certificate and key are needed to listen at an address that is not loopback")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        return self


class CloudSettings(BaseModel):
    """The ``[cloud]`` table.

    Attributes:
        kind: Where keys are registered.
        url: The service root; by default Microsoft Graph, for the kind ``graph``.
        token_file: A file with a bearer token, for the kind ``registry``.
        ca_file: The only certificate authorities to trust, for the service and for who issues its tokens; by default
            the system's.
        timeout: Seconds without a byte from the service after which it is asked anew.
        path: The file, for the kind ``file``.
        credential: How the application proves who it is; by default told from what else is given.
        tenant_id: The tenant, by id or domain name. Not needed for identities that the platform hands out.
        client_id: The application. For a managed identity, which one of several.
        client_secret_file: A file that holds the secret.
        client_secret_env: Or the name of an environment variable that does.
        client_secret_credential: Or the name of a systemd credential (``LoadCredential=``).
        client_certificate_file: The certificate and its private key, in one PEM file or PKCS #12 without a passphrase.
        authority: Who issues tokens; known for the national clouds' Graph, needed for anything else.
        creation_times: Whether a complete read asks for the creation times of keys that come without: one more request
            for every user with keys.
        notifications: How the service tells us at once that something changed; without it we only poll.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: CloudKind
    url: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout: float = Field(default=30.0, gt=0, le=600)
    path: Path | None = None
    credential: CredentialKind | None = None
    tenant_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]{1,253}$")
    client_id: str | None = Field(default=None, min_length=1, max_length=256)
    client_secret_file: Path | None = None
    client_secret_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    client_secret_credential: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$")
    client_certificate_file: Path | None = None
    authority: str | None = None
    creation_times: bool = False
    notifications: NotificationSettings | None = None

    @property
    def root(self) -> str:
        """The service root. Only of the kinds that have one."""
        return self.url or GRAPH

    @property
    def token_authority(self) -> str | None:
        """Who issues tokens; None if it is neither given nor known."""
        return self.authority or AUTHORITIES.get(urlsplit(self.root).hostname or "")

    @property
    def credential_kind(self) -> CredentialKind:
        """How the application proves who it is."""
        if self.credential is not None:
            return self.credential
        return CredentialKind.CERTIFICATE if self.client_certificate_file else CredentialKind.SECRET

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is CloudKind.GRAPH:
            self._check_application()
            return self
        needed = {CloudKind.REGISTRY: ("url", "token_file"), CloudKind.FILE: ("path",)}[self.kind]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f'kind = "{self.kind}" needs {" and ".join(missing)}')
        return self

    def _check_application(self) -> None:
        secrets = [name for name in _SECRETS if getattr(self, name) is not None]
        certificate = ["client_certificate_file"] if self.client_certificate_file else []
        kind = self.credential_kind
        wanted = {CredentialKind.SECRET: secrets, CredentialKind.CERTIFICATE: certificate}.get(kind, [])
        if kind is CredentialKind.SECRET and len(secrets) != 1:
            raise ValueError(f'credential = "secret" needs one of {", ".join(_SECRETS)}')
        if kind is CredentialKind.CERTIFICATE and not certificate:
            raise ValueError('credential = "certificate" needs client_certificate_file')
        surplus = sorted({*secrets, *certificate} - set(wanted))
        if surplus:
            raise ValueError(f'credential = "{kind}" does not use {" and ".join(surplus)}')
        if kind is CredentialKind.MANAGED_IDENTITY:
            return  # the platform knows the tenant and the authority
        if kind is not CredentialKind.WORKLOAD_IDENTITY:  # which takes from its environment what is not given
            missing = [name for name in ("tenant_id", "client_id") if getattr(self, name) is None]
            if missing:
                raise ValueError(f'credential = "{kind}" needs {" and ".join(missing)}')
        if self.token_authority is None:
            raise ValueError("authority must be given: it is not known who issues tokens for this url")
        authority = urlsplit(self.token_authority)
        if authority.scheme != "https" or not authority.hostname or authority.query or authority.username:
            raise ValueError("authority must be https://host[:port]: a secret is sent there")
