"""Microsoft Graph, or anything shaped like it (the registry), as a ``KeySource``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import httpx

from keytrust.cloud.batch import AT_ONCE, BATCH_SIZE
from keytrust.cloud.connections import Connections
from keytrust.cloud.creation_times import CreationTimes, lacks_time
from keytrust.cloud.delta import Changes, Round, follow
from keytrust.cloud.diagnosis import RefusedError, unusable
from keytrust.cloud.key_audits import KeyAudits
from keytrust.cloud.limits import Limits
from keytrust.cloud.lookup import find
from keytrust.cloud.one_user import UserName
from keytrust.cloud.origin import root_url, shown
from keytrust.cloud.pages import Page, walk
from keytrust.cloud.probe import Probe, probe
from keytrust.cloud.replays import merge_copies
from keytrust.cloud.retry import RetryPolicy
from keytrust.cloud.single_users import Single, SingleUsers
from keytrust.cloud.source import CloudUser, Progress, Unknown
from keytrust.cloud.spool import Spool
from keytrust.cloud.subscriptions import GraphSubscriptions
from keytrust.cloud.tokens import TokenProvider
from keytrust.cloud.transport import Transport
from keytrust.cloud.user_json import NO_KEYS_PROPERTY, parse_user

SELECT = (
    "id",
    "userPrincipalName",
    "accountEnabled",
    "onPremisesImmutableId",
    "onPremisesSecurityIdentifier",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesSamAccountName",
    "onPremisesSyncEnabled",
    "deviceKeys",
)
_WITHOUT_KEYS = tuple(name for name in SELECT if name != "deviceKeys")
"""For a service that does not show keys of many users at once: they are then asked for one by one."""
PAGE_SIZE = 999

_REFUSED_SECONDS, _FAILED_SECONDS = 3600.0, 60.0
"""A service that would not, or could not, tell creation times is asked for them again after so long."""


class GraphSource:
    """Reads every user and their ``deviceKeys``.

    The pages are first fetched to the last one into temporary files, and only then turned into users: so nothing is
    yielded from a read that did not complete, a user that turns up again in a later page is noticed, and memory holds
    one page, however many users there are.

    Args:
        root: The service root, such as ``https://graph.microsoft.com``.
        tokens: Where access tokens come from.
        ca_file: The only certificate authorities to trust; None for the system's.
        retry: When to ask again.
        limits: Bounds on answers.
        creation_times: Whether ``read`` asks for the creation times of keys that came without (``changes`` and ``user``
            always do): one more request for every user with keys.

    Raises:
        ConfigError: the root is not a URL to which a token may be sent.
    """

    def __init__(
        self,
        root: str,
        tokens: TokenProvider,
        *,
        ca_file: Path | None = None,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        creation_times: bool = False,
    ) -> None:
        self._root = root_url(root)
        self._tokens = tokens
        self._retry = retry or RetryPolicy()
        self._limits = limits or Limits()
        self._connections = Connections(self._root, ca_file=ca_file, limits=self._limits)
        self._creation_times = creation_times
        self._no_times_until = 0.0

    def __repr__(self) -> str:
        return f"GraphSource({self.name!r})"

    @property
    def name(self) -> str:
        """See ``KeySource``."""
        return shown(self._root).rstrip("/")

    def connected(self) -> AbstractContextManager[None]:
        """Keep connections from one read to the next until the end of the block: for one who asks all the time."""
        return self._connections.kept()

    def read(self, progress: Progress | None = None) -> Iterator[CloudUser]:
        """See ``KeySource``. ``progress`` counts users as they arrive; the first user comes out after the last page.

        Where users have to be asked for one by one, ``progress`` then counts these from the start.

        Raises:
            CloudError: the read did not complete. Nothing was yielded, unless the collection shows no keys and users
                have to be asked for one by one.
        """
        with Spool(self.name) as spool:
            self._fetch(spool, progress)
            users = self._filled(spool.read(), progress)
            yield from self._dated(users) if self._creation_times else users

    def changes(self, cursor: str | None = None) -> Changes:
        """Who changed since a cursor was given out; everybody without one.

        Users of whom the round says two things, or does not say the keys, are asked for one by one.

        Args:
            cursor: ``Changes.cursor`` of the last time.

        Raises:
            CloudError: the round did not complete; the old cursor stays good.
        """
        with self._transport() as transport:
            found = self._follow(transport, {}, cursor)
            disputed = found.disputed
            users = [parse_user(items[0]) for name, items in found.items.items() if name not in disputed]
            removed = {name: reason for name, reason in found.removed.items() if name not in disputed}
            unread = disputed | {user.id for user in users if user.keys == NO_KEYS_PROPERTY}
            settled = [user for user in users if user.id not in unread]
            singles = self._single_users(transport)
            asked = singles.settle(unread)
            known = {user.id: user for user in users}
            for answer in asked.refused:
                if answer.id not in known:
                    raise singles.silent_about(answer)
                settled.append(replace(known[answer.id], keys=_refused_keys(answer)))
            settled = self._with_times([*settled, *asked.users])
        return Changes(tuple(settled), removed | asked.removed, found.cursor, found.everybody)

    def now(self, ids: Collection[str]) -> Changes:
        """These users as they are now, each asked for by itself. The cursor is empty.

        Whoever the service will not tell of is left out: one such must not hinder the others.

        Raises:
            CloudError: the service could not be asked, or not just now.
        """
        with self._transport() as transport:
            asked = self._single_users(transport).settle(ids)
            return Changes(tuple(self._with_times(asked.users)), asked.removed, "")

    def latest(self) -> str:
        """A cursor for ``changes`` that stands at this moment, without a first round over everybody.

        Raises:
            CloudError: it could not be had.
        """
        with self._transport() as transport:
            return self._follow(transport, {"$deltatoken": "latest"}, None).cursor

    def _follow(self, transport: Transport, parameters: Mapping[str, str], cursor: str | None) -> Round:
        def follow_with(select: Sequence[str]) -> Round:
            start = self._url("/users/delta").copy_merge_params({"$select": ",".join(select), **parameters})
            return follow(transport, start, cursor, self._limits)

        try:
            return follow_with(SELECT)
        except RefusedError as error:
            if error.status != httpx.codes.BAD_REQUEST:
                raise
            return follow_with(_WITHOUT_KEYS)  # whether keys can be asked for here is not documented

    def key_audits(self) -> KeyAudits:
        """The audit trail of registered and lost keys, for one who follows changes."""
        return KeyAudits(self._root, self._transport, self._limits)

    def user(self, name: UserName) -> CloudUser | None:
        """See ``UserSource``."""
        with self._transport() as transport:
            found = find(transport, self._url(""), ",".join(SELECT), name)
            return None if found is None else self._with_times([found])[0]

    def subscriptions(self) -> GraphSubscriptions:
        """The subscriptions to change notifications of this service."""
        # Who keeps a subscription comes back by itself.
        return GraphSubscriptions(lambda: self._transport(hurried=True), self._url("", "v1.0"))

    def probe(self) -> Probe:
        """Which ways to read keys work here. Raises ``CloudError`` if the service cannot be reached at all."""
        with self._transport() as transport:
            return probe(transport, self._root)

    def _filled(self, users: Iterator[CloudUser], progress: Progress | None) -> Iterator[CloudUser]:
        """The users; those that the collection showed without keys are asked for one by one, as long as that helps."""
        with self._transport() as transport:
            singles = self._single_users(transport)
            waiting: list[CloudUser] = []
            size, asked, helps = BATCH_SIZE, 0, True  # a few first, to see whether it helps
            for user in users:
                if not helps or user.keys != NO_KEYS_PROPERTY:
                    yield user
                    continue
                waiting.append(user)
                if len(waiting) == size:
                    filled = list(_fill(singles, waiting))
                    helps = any(each.keys != NO_KEYS_PROPERTY for each in filled)
                    yield from filled
                    asked, size, waiting = asked + size, BATCH_SIZE * AT_ONCE * 4, []
                    if progress is not None:
                        progress(asked)
            yield from _fill(singles, waiting)

    def _fetch(self, spool: Spool, progress: Progress | None) -> None:
        """Fetch all pages into the spool."""
        idle = 0
        for page in self._pages():
            idle = 0 if spool.add(page.body, page.items) else idle + 1
            if idle > self._limits.idle_pages:
                raise unusable(page.url, "sends page after page without a new user")
            if progress is not None:
                progress(spool.users)

    def _pages(self) -> Iterator[Page]:
        def first(select: Sequence[str]) -> httpx.URL:
            return self._url("/users").copy_merge_params({"$select": ",".join(select), "$top": str(PAGE_SIZE)})

        begun = False
        with self._transport() as transport:
            try:
                for page in walk(transport, first(SELECT), self._limits):
                    begun = True
                    yield page
            except RefusedError as error:
                if begun or error.status != httpx.codes.BAD_REQUEST:
                    raise
                yield from walk(transport, first(_WITHOUT_KEYS), self._limits)

    def _dated(self, users: Iterator[CloudUser]) -> Iterator[CloudUser]:
        while some := list(itertools.islice(users, BATCH_SIZE * AT_ONCE * 4)):
            yield from self._with_times(some)

    def _with_times(self, users: list[CloudUser]) -> list[CloudUser]:
        if time.monotonic() < self._no_times_until or not any(lacks_time(user) for user in users):
            return users
        # A key must not wait for its time: little patience, and a pause where it does not help.
        with self._transport(hurried=True) as transport:
            times = CreationTimes(transport, self._url("", "v1.0"))
            dated = times.fill(users)
        self._no_times_until = time.monotonic() + (
            _REFUSED_SECONDS if times.refused else times.failed * _FAILED_SECONDS
        )
        return dated

    def _url(self, path: str, version: str = "beta") -> httpx.URL:
        return self._root.copy_with(path=f"{self._root.path.rstrip('/')}/{version}{path}")

    def _transport(self, *, hurried: bool = False) -> Transport:
        retry = replace(self._retry, attempts=2, total=10.0) if hurried else self._retry
        return Transport(self._connections, self._tokens, retry=retry, limits=self._limits)

    def _single_users(self, transport: Transport) -> SingleUsers:
        return SingleUsers(transport, self._url(""), ",".join(SELECT))


def _fill(singles: SingleUsers, users: list[CloudUser]) -> Iterator[CloudUser]:
    known = {user.id: user for user in users}
    for answer in singles.read(list(known)):
        if answer.user is None:
            yield replace(known[answer.id], keys=_refused_keys(answer))
            continue
        # A user may have changed between the two reads; what was reported twice has to agree.
        found = parse_user(answer.user)
        yield merge_copies([replace(known[answer.id], keys=found.keys), found])


def _refused_keys(answer: Single) -> Unknown:
    return Unknown(f"the service answered {answer.status} when asked for this user's keys")
