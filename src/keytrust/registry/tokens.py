"""Verification of bearer tokens (RFC 7519, RFC 6750) and of what they must say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jwt

from keytrust.registry.key_sets import KeySet, KeySetUnavailable
from keytrust.registry.settings import RegistrySettings

_MAX_TOKEN = 16 * 1024
_ALGORITHMS = ["RS256", "ES256"]

READER = "Registry.Read"
"""Role of an application that may read users, keys and devices."""
ADMINISTRATOR = "Registry.Admin"
"""Role of one that may also revoke keys."""

Purpose = Literal["register", "graph"]


class TokenRefused(Exception):  # noqa: N818 - an answer to the client, not a failure
    """The token does not allow what was asked. ``str()`` says why, and never holds the token."""

    def __init__(self, why: str, *, forbidden: bool = False) -> None:
        super().__init__(why)
        self.forbidden = forbidden


@dataclass(frozen=True, slots=True, repr=False)
class Claims:
    """The verified claims of a token."""

    values: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """A claim that is a non-empty string of sane length without control characters."""
        value = self.values.get(name)
        if isinstance(value, str) and 0 < len(value) <= 1024 and value.isprintable():
            return value
        return None

    def texts(self, name: str) -> frozenset[str]:
        """A claim that is a list of strings; empty if it is anything else."""
        value = self.values.get(name)
        return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()

    def second_factor_time(self) -> float | None:
        """When the user proved themselves: ``auth_time``, else ``iat``; seconds since 1970."""
        value = self.values.get("auth_time", self.values.get("iat"))
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def actor(self) -> str:
        """Who this is, for the audit trail."""
        user = self.text("upn") or self.text("oid")
        return f"user {user}" if user else f"application {self.text('appid') or self.text('sub') or 'unnamed'}"


class PublicKeys(Protocol):
    """An issuer's public keys."""

    def find(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id, if there is one. Raises ``KeySetUnavailable``."""


@dataclass(frozen=True, slots=True)
class _Issuer:
    keys: PublicKeys
    may_register: bool
    may_call_graph: bool


class TokenVerifier:
    """Verifies tokens of the configured issuers. Safe to use from many threads.

    Args:
        settings: Whose tokens are accepted.
        own_keys: The keys that sign the registry's own tokens, which register keys only if users sign in here.
    """

    def __init__(self, settings: RegistrySettings, own_keys: PublicKeys | None = None) -> None:
        self._leeway = settings.leeway
        self._issuers = {
            each.issuer: _Issuer(KeySet(each), each.may_register, each.may_call_graph) for each in settings.issuers
        }
        if own_keys is not None:
            self._issuers[settings.token_issuer] = _Issuer(
                own_keys, may_register=settings.sign_in is not None, may_call_graph=True
            )

    def verify(self, authorization: str | None, *, audience: str, purpose: Purpose) -> Claims:
        """The claims of the token in an ``Authorization`` header.

        Raises:
            TokenRefused: there is none, or it is not valid here and now for this audience and purpose.
        """
        token = _bearer(authorization)
        try:
            name, issuer, key = self._find_key(token)
            if not (issuer.may_register if purpose == "register" else issuer.may_call_graph):
                raise TokenRefused("the token's issuer is not trusted for this")
            claims = jwt.decode(
                token,
                key=key,
                algorithms=_ALGORITHMS,
                audience=audience,
                issuer=name,
                leeway=self._leeway,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefused("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise TokenRefused(f"the token is not for this service (audience {audience})") from None
        except jwt.PyJWTError as error:
            raise TokenRefused(f"the token is not valid ({type(error).__name__})") from None
        except KeySetUnavailable:
            raise TokenRefused("the issuer's keys cannot be read at the moment") from None
        except (ValueError, TypeError, OverflowError, RecursionError):
            # Claims of absurd types and sizes get past the library's own checks.
            raise TokenRefused("the token is malformed") from None
        return Claims(claims)

    def _find_key(self, token: str) -> tuple[str, _Issuer, jwt.PyJWK]:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        name = unverified["payload"].get("iss")
        trusted = self._issuers.get(name) if isinstance(name, str) else None
        if trusted is None:
            raise TokenRefused("the token's issuer is not trusted")
        kid = unverified["header"].get("kid")
        key = trusted.keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenRefused("the token is not signed by a current key of its issuer")
        return str(name), trusted, key


def _bearer(authorization: str | None) -> str:
    if authorization is None:
        raise TokenRefused("no bearer token")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise TokenRefused("no bearer token")
    if len(token) > _MAX_TOKEN or not token.isascii():
        raise TokenRefused("the token is malformed")
    return token
