"""To whom an access token may be shown: one origin, reached by TLS, or by plain HTTP on this host only."""

from __future__ import annotations

import ipaddress
import re

import httpx

from keytrust.errors import CloudError, ConfigError

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+")  # httpx gives an IPv6 address without its brackets

_MAX_LINK = 32 * 1024


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def root_url(text: str) -> httpx.URL:
    """The service root an operator configured, without a trailing slash.

    Raises:
        ConfigError: it is not an absolute http(s) URL, carries a user or a query, or is plain HTTP to another host.
    """
    remedy = "give the service root as https://host[:port][/path]"
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise ConfigError(f"the cloud address is not a URL: {error}", remedy=remedy) from None
    is_service = url.scheme in {"https", "http"} and _HOST.fullmatch(url.host) and (url.port or 1) < 65536
    if not is_service or url.userinfo or url.query or url.fragment:
        raise ConfigError("the cloud address is not a plain http(s) service root", remedy=remedy)
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigError(
            f"the cloud address http://{url.host} is not encrypted: the access token and the keys could be changed",
            not_done="no connection was made",
            remedy="use https (plain http is for loopback addresses only)",
        )
    return url.copy_with(path=url.path.rstrip("/") or "/")


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, with the default port filled in."""
    return url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


def next_page(link: object, current: httpx.URL) -> httpx.URL:
    """Where an ``@odata.nextLink`` leads, verbatim; a relative one is relative to the page it stood on.

    Raises:
        CloudError: it is not a link, or leads to another origin, where the token must not go.
    """
    try:
        if not isinstance(link, str) or not link or len(link) > _MAX_LINK:
            raise ValueError("it is not a string of sane length")  # noqa: TRY301 - one answer for all damage
        url = current.join(link)
    except (httpx.InvalidURL, ValueError) as error:
        raise CloudError(
            f"{shown(current)} answered with an @odata.nextLink that is not a link",
            not_done="the remaining pages were not read",
            remedy="read again; if it keeps happening, the service or something before it is at fault",
            detail=str(error),
        ) from None
    if origin(url) != origin(current) or url.userinfo:
        raise CloudError(
            f"{shown(current)} points to another server for its next page",
            not_done="the link was not followed, and the access token was not sent there",
            remedy="configure the cloud address by which the service calls itself",
            detail=f"@odata.nextLink leads to {shown(url)}",
        )
    return url


def shown(url: httpx.URL) -> str:
    """A URL for people: no user, no query, no fragment."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
