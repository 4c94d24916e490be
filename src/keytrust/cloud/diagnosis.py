"""Why the cloud could not be read, as a ``CloudError`` with cause and remedy."""

from __future__ import annotations

import errno
import re
import socket
import ssl
import time
from collections.abc import Iterator

import httpx

from keytrust.cloud import strict_json
from keytrust.cloud.origin import shown
from keytrust.cloud.retry import parse_retry_after
from keytrust.errors import CloudError

NOT_DONE = "the cloud was not read completely; nothing may be removed on the strength of this read"

_REMEDIES = {
    400: "look at the detail (-v): the service does not support what was asked",
    401: "renew the access token; it must be issued for this service and not have expired",
    403: "grant the application permission User.Read.All (and consent to it), or on a registry the role Registry.Read",
    404: "check the service root and that it offers /beta/users",
    410: "read again from the start",
    429: "wait and read again; if it keeps happening, read less often",
}
_KINDS = (
    (httpx.TimeoutException, "{} did not answer in time", "check the network and the service, then read again"),
    (httpx.ProxyError, "the proxy would not connect to {}", "check the proxy settings in the environment"),
    (httpx.ConnectError, "no connection to {} could be made", "check the address, and whether it speaks TLS"),
)
_UNSHOWABLE = re.compile(r"[^\x20-\x7e\xa1-\u1fff\u2c00-\ud7ff]+")


class RefusedError(CloudError):
    """The service answered, with another status than 200.

    Attributes:
        status: The status.
        code: The service's own error code; empty if it gave none.
        location: Its ``Location`` header.
        retry_after: For how many seconds it asked not to be asked again; None if it did not.
    """

    def __init__(
        self,
        message: str,
        status: int,
        code: str,
        location: str | None,
        retry_after: float | None = None,
        *,
        remedy: str,
        detail: str,
    ) -> None:
        super().__init__(message, not_done=NOT_DONE, remedy=remedy, detail=detail)
        self.status = status
        self.code = code
        self.location = location
        self.retry_after = retry_after


def refused(url: httpx.URL, response: httpx.Response, body: bytes) -> RefusedError:
    """An answer other than 200: names the status and, if there is one, the service's own error code and request id."""
    status = response.status_code
    details = []
    code, message = _odata_error(body)
    if code or message:
        details.append(f"{code}: {message}")
    for name in ("request-id", "client-request-id"):
        if name in response.headers:
            details.append(f"{name} {printable(response.headers[name], 100)}")
    if response.is_redirect:
        what, remedy = "answered with a redirect, which is not followed with our token", "configure the final address"
    else:
        remedy = _REMEDIES.get(status, "read again later; if it keeps happening, give the request id to the service")
        what = f"answered {status} {response.reason_phrase}".rstrip()
    location = response.headers.get("location")
    return RefusedError(
        f"{shown(url)} {what}",
        status,
        code,
        location,
        parse_retry_after(response.headers.get("retry-after"), time.time()),
        remedy=remedy,
        detail="; ".join(details),
    )


def unusable(url: httpx.URL, what: str, detail: str = "") -> CloudError:
    """A 200 whose content is not what was asked for."""
    return CloudError(
        f"{shown(url)} {what}",
        not_done=NOT_DONE,
        remedy="check that the address is a Microsoft Graph root or a registry, not a proxy or a web page",
        detail=detail,
    )


def unreachable(url: httpx.URL, error: Exception) -> CloudError:
    """No complete answer at all: names the layer that failed."""
    host = f"{url.host}:{url.port}" if url.port else url.host
    what, remedy = _network_cause(host, error)
    return CloudError(what, not_done=NOT_DONE, remedy=remedy, detail=printable(f"{type(error).__name__}: {error}", 500))


def is_permanent(error: Exception) -> bool:
    """Whether trying again cannot help: the name does not exist or the certificate is not trusted."""
    return any(isinstance(cause, socket.gaierror | ssl.SSLCertVerificationError) for cause in _causes(error)) or (
        isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError)
    )


def is_refusal(error: Exception) -> bool:
    """Whether nothing listens there."""
    return any(isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED for cause in _causes(error))


def printable(text: str, limit: int) -> str:
    """A server's words made safe for a terminal and a log."""
    return _UNSHOWABLE.sub(" ", text[: limit * 2]).strip()[:limit]


def _network_cause(host: str, error: Exception) -> tuple[str, str]:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            what, remedy = _certificate_cause(cause.verify_code)
            return f"the certificate of {host} is {what}", remedy
        if isinstance(cause, socket.gaierror):
            return f"the name {host} cannot be resolved", "check the address and this host's DNS"
    if is_refusal(error):
        return f"nothing listens at {host}", "check the address, and that the service is running"
    for kind, what, remedy in _KINDS:
        if isinstance(error, kind):
            return what.format(host), remedy
    return f"{host} broke off in the middle of its answer", "check the network and the service, then read again"


def _certificate_cause(verify_code: int) -> tuple[str, str]:
    if verify_code in {62, 64}:  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        return "for another name", "use the name that the certificate is for, or have it reissued"
    if verify_code in {9, 10}:  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
        return "not valid at this time", "renew it, and check both clocks"
    return "not trusted", "give the issuing CA's certificate as ca_file"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(20):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _odata_error(body: bytes) -> tuple[str, str]:
    try:
        content = strict_json.loads(body)
    except ValueError:
        return "", ""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return "", ""
    return printable(str(error.get("code", "")), 100), printable(str(error.get("message", "")), 400)
