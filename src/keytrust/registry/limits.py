"""The rate limits of one registry: on what fails to prove itself, and on what one user may do.

What can be guessed (a secret, a password) is counted before it is looked at, so that a guesser learns nothing more once
over the limit. A bearer token cannot be guessed: a valid one always passes, and only refusals count, so that nobody can
keep others at the same address from their work.
"""

from __future__ import annotations

import ipaddress

from keytrust.registry.rate_limit import RateLimit
from keytrust.registry.settings import RegistrySettings


class TooManyTries(Exception):  # noqa: N818 - an answer to the client, not a failure
    """Over the limit. ``str()`` says which; ``seconds``, after how long to come back."""

    def __init__(self, what: str, seconds: int) -> None:
        super().__init__(f"Too many {what}. Try again in {seconds} s.")
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        """The header that goes with the answer."""
        return {"Retry-After": str(self.seconds)}


class Limits:
    """All counters, in memory: a restart forgets them, and a second process counts for itself."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._clients = RateLimit(settings.failures_per_minute)
        # A name can be tried from many addresses; but whoever does so also keeps its owner out, so this is wider.
        self._accounts = RateLimit(5 * settings.failures_per_minute)
        self._registrations = RateLimit(settings.registrations_per_minute)

    def count_refusal(self, address: str) -> None:
        """Count a refused token of a client. Raises ``TooManyTries``."""
        _allow(self._clients.take(network(address)), "refused requests from this address")

    def count_guess(self, address: str, account: str) -> None:
        """Count a secret that is about to be checked. Raises ``TooManyTries``."""
        _allow(self._clients.take(network(address)), "failed tries from this address")
        _allow(self._accounts.take(account.casefold()[:256]), "failed tries for this account")

    def forgive_guess(self, address: str, account: str) -> None:
        """The secret was right and does not count."""
        self._clients.give_back(network(address))
        self._accounts.give_back(account.casefold()[:256])

    def count_registration(self, user: str) -> None:
        """Count a registration by a user who has proved themselves. Raises ``TooManyTries``."""
        _allow(self._registrations.take(user), "registrations by this user")


def network(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one subscriber of IPv6 has for themselves."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _allow(seconds: int | None, what: str) -> None:
    if seconds is not None:
        raise TooManyTries(what, seconds)
