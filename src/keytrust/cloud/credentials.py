"""Access tokens of an application, from Microsoft Entra ID or anything that speaks as it does, by azure-identity."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from keytrust.cloud import diagnosis
from keytrust.cloud.origin import root_url
from keytrust.cloud.secrets import read_certificate, read_secret
from keytrust.cloud.settings import AUTHORITIES, CloudSettings, CredentialKind
from keytrust.errors import CloudError, ConfigError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_EARLY = 300.0
_NOT_DONE = "no access token was had; the cloud was not read"
# The authority's own error codes, and what to do about them.
_REMEDIES = {
    "AADSTS7000215": "the secret is wrong; note that its value is wanted, not its id",
    "AADSTS7000222": "the client secret has expired: make a new one, or use a certificate or a managed identity",
    "AADSTS700016": "check client_id, and that the application exists in this tenant",
    "AADSTS900023": "check tenant_id",
    "AADSTS90002": "check tenant_id and the authority",
    "AADSTS700027": "upload this certificate to the application, and check that it has not expired",
    "AADSTS500011": "check url: this tenant knows no such service",
    "AADSTS53003": "a Conditional Access policy forbids this sign-in: exempt the application",
    "invalid_client": "check client_id, and that the secret or certificate is the application's current one",
    "invalid_scope": "check url: the authority does not issue tokens for this service",
}
_BY_KIND = {
    CredentialKind.SECRET: "check the authority, tenant_id, client_id and the secret",
    CredentialKind.CERTIFICATE: "check the authority, tenant_id, client_id and the certificate",
    CredentialKind.MANAGED_IDENTITY: "this works only on a host in Azure or joined to Azure Arc that has one",
    CredentialKind.WORKLOAD_IDENTITY: "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE",
}


class ApplicationTokens:
    """A ``TokenProvider`` over any azure-identity credential. Safe to use from many threads.

    Args:
        make: Makes the credential, reading its secret anew each time, so that a secret replaced on the host is taken
            up when the old one is refused; with the text that must never be shown, if there is any.
        scope: What the token is for.
        remedy: What to do when no token can be had and the authority names no better cause.
        now: The clock, seconds since 1970.
    """

    def __init__(
        self,
        make: Callable[[], tuple[TokenCredential, str | None]],
        scope: str,
        *,
        remedy: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._make = make
        self._scope = scope
        self._remedy = remedy
        self._now = now
        self._lock = threading.Lock()
        self._token: str | None = None
        self._expires = 0.0

    def __repr__(self) -> str:
        return f"ApplicationTokens({self._scope!r})"

    def token(self) -> str:
        """See ``TokenProvider``."""
        with self._lock:
            if self._token is None or self._now() >= self._expires - _EARLY:
                return self._fetch()
            return self._token

    def renew(self) -> str:
        """See ``TokenProvider``."""
        with self._lock:
            return self._fetch()

    def _fetch(self) -> str:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - slow to load, and not every site needs it

        secret: str | None = None
        try:
            # A new credential has no cache: what it hands out has really been issued now.
            credential, secret = self._make()
            try:
                issued = credential.get_token(self._scope)
            finally:
                close = getattr(credential, "close", None)
                if close is not None:
                    close()
        except (AzureError, ValueError, OSError) as error:
            raise self._refused(error, secret) from None  # the original may quote a request, with the secret in it
        self._token, self._expires = issued.token, float(issued.expires_on)
        return issued.token

    def _refused(self, error: Exception, secret: str | None) -> CloudError:
        said = str(error)
        if secret:
            said = said.replace(secret, "(secret)")
        remedy = next((text for code, text in _REMEDIES.items() if code in said), self._remedy)
        return CloudError(
            f"no access token for {self._scope} could be had",
            not_done=_NOT_DONE,
            remedy=remedy,
            detail=diagnosis.printable(f"{type(error).__name__}: {said}", 1000),
        )


def application_tokens(cloud: CloudSettings) -> ApplicationTokens:
    """The tokens of the configured application for the configured service.

    Raises:
        ConfigError: the service root is not one to which a token may be sent.
    """
    root = root_url(cloud.root)
    scope = f"{root.scheme}://{root.netloc.decode('ascii')}/.default"
    kind = cloud.credential_kind
    return ApplicationTokens(lambda: _credential(cloud), scope, remedy=_BY_KIND[kind])


def _credential(cloud: CloudSettings) -> tuple[TokenCredential, str | None]:
    import azure.identity as azure  # noqa: PLC0415 - as above

    # What it would log is in our errors, without the authority's unchecked words.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {
        "retry_total": 3,
        "retry_backoff_max": 10,
        "connection_timeout": 15,
        "read_timeout": 30,
        "permit_redirects": False,
    }
    if cloud.credential_kind is CredentialKind.MANAGED_IDENTITY:
        return azure.ManagedIdentityCredential(client_id=cloud.client_id, **options), None
    authority = cloud.token_authority
    if authority is None:  # the settings have checked
        raise ConfigError("no authority is configured", remedy="set authority in [cloud]")
    options["authority"] = authority
    # Only the vendor's own authorities can be asked for by name at the vendor's.
    options["disable_instance_discovery"] = authority.rstrip("/") not in AUTHORITIES.values()
    if cloud.ca_file is not None:
        options["connection_verify"] = str(cloud.ca_file)
    if cloud.credential_kind is CredentialKind.WORKLOAD_IDENTITY:
        return (
            azure.WorkloadIdentityCredential(tenant_id=cloud.tenant_id, client_id=cloud.client_id, **options),
            None,
        )
    tenant, client = cloud.tenant_id or "", cloud.client_id or ""
    if cloud.credential_kind is CredentialKind.CERTIFICATE:
        data = read_certificate(cloud)
        return azure.CertificateCredential(tenant, client, certificate_data=data, **options), None
    secret = read_secret(cloud)
    return azure.ClientSecretCredential(tenant, client, secret, **options), secret
