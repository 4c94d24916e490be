"""A device for one user ([MS-KPP] client role)."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from keytrust.cloud import diagnosis, fields, strict_json
from keytrust.cloud.origin import origin, root_url
from keytrust.cloud.tls import tls_context
from keytrust.credential import rsa1_from_key
from keytrust.errors import CloudError

_MAX_ANSWER = 256 * 1024
_NOT_DONE = "the key may not be registered"


@dataclass(frozen=True, slots=True)
class RegisteredDeviceKey:
    """The service's answer: the key's id there, and the user it was registered for."""

    kid: UUID
    upn: str


class Device:
    """Holds an RSA-2048 key pair and registers its public half.

    Args:
        device_id: The device's id.
        key: The key pair; by default a new one.
    """

    def __init__(self, device_id: UUID | None = None, key: rsa.RSAPrivateKey | None = None) -> None:
        self.device_id = device_id or uuid4()
        self._key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def __repr__(self) -> str:
        return f"Device({str(self.device_id)!r})"

    @property
    def private_key(self) -> rsa.RSAPrivateKey:
        """The private key, which a real device never lets out."""
        return self._key

    @property
    def material(self) -> bytes:
        """The public key as an RSA1 blob."""
        return rsa1_from_key(self._key.public_key())

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the material: the key's identity wherever it goes."""
        return sha256(self.material).digest()

    def save_private_key(self, path: Path) -> None:
        """Write the private key as PEM, mode 0600, for a later sign-in. An existing file is not overwritten.

        Raises:
            OSError: the file exists or cannot be written.
        """
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)

    def sign_in(
        self, service: str, tenant: str, user: str, password: str, code: str, *, ca_file: Path | None = None
    ) -> str:
        """Get the token that registers a key from a registry at which users sign in.

        Args:
            service: The registration service's root URL.
            tenant: The tenant's name or id.
            user: userPrincipalName.
            password: Of Active Directory.
            code: What the user's authenticator app shows.
            ca_file: The only certificate authorities to trust; None for the system's.

        Raises:
            CloudError: no service, no answer, or a refusal.
        """
        with _client(service, ca_file) as client:
            document = _document(client, service, tenant)
            oauth = _object(document, "AuthenticationService", "OAuth2")
            endpoint = oauth.get("TokenEndpoint")
            if not isinstance(endpoint, str) or origin(root_url(endpoint)) != origin(root_url(service)):
                raise diagnosis.unusable(root_url(service), "does not offer a sign-in of its own")
            form = {
                "grant_type": "password",
                "username": user,
                "password": password,
                "otp": code,
                "device_id": str(self.device_id),
                "resource": _provisioning(document, root_url(service))[1],
            }
            answer = _exchange(client, client.build_request("POST", endpoint, data=form))
        try:
            return fields.text(answer.get("access_token"), 16 * 1024)
        except ValueError as error:
            raise CloudError(f"the service's answer {error}", not_done=_NOT_DONE, remedy="look at its log") from None

    def register(self, service: str, tenant: str, token: str, *, ca_file: Path | None = None) -> RegisteredDeviceKey:
        """Find the key provisioning service by discovery and register the key there.

        Args:
            service: The registration service's root URL.
            tenant: The tenant's name or id.
            token: The user's bearer token for the service's KeyProvisionResourceId.
            ca_file: The only certificate authorities to trust; None for the system's.

        Raises:
            CloudError: no service, no answer, or a refusal.
        """
        with _client(service, ca_file) as client:
            endpoint, _ = _discover(client, service, tenant)
            headers = {"Authorization": f"Bearer {token}", "client-request-id": str(uuid4())}
            body = {"kngc": base64.b64encode(self.material).decode("ascii")}
            answer = _exchange(
                client,
                client.build_request("POST", endpoint, params={"api-version": "1.0"}, json=body, headers=headers),
            )
        try:
            return RegisteredDeviceKey(fields.guid(answer.get("kid")), fields.text(answer.get("upn"), 1024))
        except ValueError as error:
            raise CloudError(f"the service's answer {error}", not_done=_NOT_DONE, remedy="look at its log") from None


def key_provision_resource(service: str, tenant: str, *, ca_file: Path | None = None) -> str:
    """The audience for which a device's token must be issued, by discovery. Raises ``CloudError``."""
    with _client(service, ca_file) as client:
        return _discover(client, service, tenant)[1]


def _client(service: str, ca_file: Path | None) -> httpx.Client:
    root = root_url(service)
    return httpx.Client(
        verify=tls_context(ca_file) if root.scheme == "https" else False,
        timeout=30.0,
        headers={"Accept": "application/json", "User-Agent": "keytrust-device"},
        trust_env=False,
    )


def _discover(client: httpx.Client, service: str, tenant: str) -> tuple[httpx.URL, str]:
    return _provisioning(_document(client, service, tenant), root_url(service))


def _document(client: httpx.Client, service: str, tenant: str) -> dict[str, object]:
    root = root_url(service)
    url = root.copy_with(path=f"{root.path.rstrip('/')}/{tenant}/Discover", query=b"api-version=1.9")
    return _exchange(client, client.build_request("GET", url))


def _object(document: dict[str, object], *names: str) -> dict[str, object]:
    """An object within an object; empty if there is none."""
    found: object = document
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _provisioning(document: dict[str, object], root: httpx.URL) -> tuple[httpx.URL, str]:
    found = document.get("KeyProvisioningService")
    endpoint = found.get("KeyProvisionEndpoint") if isinstance(found, dict) else None
    resource = found.get("KeyProvisionResourceId") if isinstance(found, dict) else None
    if not isinstance(endpoint, str) or not isinstance(resource, str):
        raise diagnosis.unusable(root, "does not offer a key provisioning service")
    target = root_url(endpoint)
    if root.scheme != target.scheme or (urlsplit(endpoint).hostname != root.host and origin(target) != origin(root)):
        raise diagnosis.unusable(root, "points to another host for key provisioning")
    return httpx.URL(endpoint), resource


def _exchange(client: httpx.Client, request: httpx.Request) -> dict[str, object]:
    try:
        response = client.send(request, stream=True)
        try:
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER:
                    raise diagnosis.unusable(request.url, f"answered with more than {_MAX_ANSWER} bytes")
        finally:
            response.close()
    except httpx.HTTPError as error:
        raise diagnosis.unreachable(request.url, error) from error
    try:
        content = strict_json.loads(body)
    except ValueError:
        content = None
    if response.status_code == httpx.codes.OK and isinstance(content, dict):
        return content
    if response.status_code == httpx.codes.OK:
        raise diagnosis.unusable(request.url, "answered with something that is not a JSON object")
    raise _refused(response, content)


def _refused(response: httpx.Response, content: object) -> CloudError:
    given = content if isinstance(content, dict) else {}
    message, code = given.get("message", given.get("error_description")), given.get("code", given.get("error"))
    why = f": {diagnosis.printable(message, 300)}" if isinstance(message, str) else ""
    return CloudError(
        f"the registration service answered {response.status_code}{why}",
        not_done="the key was not registered",
        remedy="get a fresh token with a second factor, from a device that the service knows",
        detail=f"{code}, request-id {diagnosis.printable(response.headers.get('request-id', ''), 100)}",
    )
