"""What the request handlers share, and the few questions they ask of a request."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request

from keytrust.cloud.origin import is_loopback
from keytrust.log import logger
from keytrust.registry import clock
from keytrust.registry.database import Database
from keytrust.registry.limits import Limits
from keytrust.registry.settings import RegistrySettings
from keytrust.registry.signing_keys import SigningKeys
from keytrust.registry.tokens import TokenVerifier

_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?")
_CLIENT_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Context:
    """One running registry."""

    settings: RegistrySettings
    database: Database
    verifier: TokenVerifier
    limits: Limits
    signing_keys: SigningKeys | None = None
    now: clock.Clock = clock.now
    log: structlog.typing.FilteringBoundLogger = field(default_factory=logger)

    def base_url(self, request: Request) -> str:
        """The base for links in answers.

        Links must stay on the origin that the client used, or it would rightly refuse to send its token there. On
        loopback one service has many names, so there the client's own word for it is taken; elsewhere never.
        """
        settings = self.settings
        host = request.headers.get("host", "")
        if settings.public_url is None and _HOST.fullmatch(host):
            name = urlsplit(f"//{host}").hostname or ""
            if is_loopback(name):
                return f"{urlsplit(settings.url).scheme}://{host}"
        return settings.url


def request_id(request: Request) -> str:
    """The id under which this request is answered and logged."""
    return str(request.scope["keytrust.request_id"])


def client_request_id(request: Request) -> str:
    """The client's own id for the request; ours if it sent none, or one that is not an id."""
    value = request.headers.get("client-request-id", "")
    return value if _CLIENT_REQUEST_ID.fullmatch(value) else request_id(request)


def peer(request: Request) -> str:
    """The address that a request comes from, for rate limits."""
    return "" if request.client is None else request.client.host
