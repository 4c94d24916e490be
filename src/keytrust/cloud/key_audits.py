"""Who registered or lost a key, by the directory's audit trail: for services whose delta does not tell of keys.

Whether ``users/delta`` notices that a user's ``deviceKeys`` changed is not documented, and it need not be the same
everywhere. Where delta does not show keys at all, entries of ``auditLogs/directoryAudits`` say of whom to ask. They say
nothing else: what is registered is read from the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from keytrust.cloud import fields
from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.limits import Limits
from keytrust.cloud.pages import decode, page_items, walk
from keytrust.cloud.transport import Transport
from keytrust.errors import CloudError

ADDED = "Add Windows Hello for Business credential"
DELETED = "Delete Windows Hello for Business credential"
POLL_SECONDS = 5.0
"""Two requests each time: Microsoft Graph allows five in ten seconds for its audit logs."""

_LATE = timedelta(minutes=15)
"""An entry may appear so long after entries with later times."""
_BEFORE = timedelta(hours=1)
"""At first entries of so long a time are looked at, which also makes up for clocks that differ."""
_WHOLE_SECONDS = 60.0
"""This often everything within ``_LATE`` is looked through; else only down to what is known."""
_LOOK_AGAIN_SECONDS = 300.0
"""A service whose delta does not show keys is asked again after this time whether it does."""
_PAGE_SIZE = 500
_REMEDY = (
    "grant the application permission AuditLog.Read.All (and consent to it), or on a registry the role Registry.Read; "
    "until then keys that delta does not tell of wait for the next complete read"
)


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    at: datetime
    users: frozenset[str]


class KeyAudits:
    """Follows the audit trail. Not for several threads.

    Args:
        root: The service root.
        transport: Opens a transport to it.
        limits: Bounds on answers.
        now: The time, in UTC.
    """

    def __init__(
        self,
        root: httpx.URL,
        transport: Callable[[], Transport],
        limits: Limits,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._root = str(root).rstrip("/")
        self._transport = transport
        self._limits = limits
        self._since = now() - _BEFORE
        self._seen: dict[str, datetime] = {}
        self._told: list[_Entry] = []
        self._whole_at = 0.0
        self._needed: bool | None = None
        self._looked_at = 0.0

    def changed(self) -> frozenset[str]:
        """Ids of users of whom there are entries that have not been ``taken``; nobody where delta shows keys.

        Raises:
            CloudError: the service could not be asked. Nothing is lost.
        """
        if self._needed is False:
            return frozenset()
        with self._transport() as transport:
            if not self._is_needed(transport):
                return frozenset()
            whole = time.monotonic() - self._whole_at > _WHOLE_SECONDS
            self._told = [entry for activity in (ADDED, DELETED) for entry in self._new(transport, activity, whole)]
            if whole:
                self._whole_at = time.monotonic()
        return frozenset().union(*(entry.users for entry in self._told))

    def taken(self) -> None:
        """What ``changed`` said the last time need not be said again."""
        self._seen.update((entry.id, entry.at) for entry in self._told)
        self._told = []
        if self._seen:
            self._since = max(self._since, max(self._seen.values()) - _LATE)
            self._seen = {name: at for name, at in self._seen.items() if at >= self._since}

    def _is_needed(self, transport: Transport) -> bool:
        now = time.monotonic()
        if self._needed is None or now - self._looked_at > _LOOK_AGAIN_SECONDS:
            self._needed, self._looked_at = not delta_shows_keys(transport, self._root), now
        return self._needed

    def _new(self, transport: Transport, activity: str, whole: bool) -> Iterator[_Entry]:
        """Entries that were not there before, newest first as they come."""
        since = self._since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        wanted = f"activityDateTime ge {since} and activityDisplayName eq '{activity}'"
        url = httpx.URL(f"{self._root}/v1.0/auditLogs/directoryAudits")
        first = url.copy_merge_params({"$filter": wanted, "$top": str(_PAGE_SIZE)})
        try:
            for page in walk(transport, first, self._limits):
                entries = list(_entries(page.items))
                new = [entry for entry in entries if entry.id not in self._seen]
                yield from new
                if len(new) < len(entries) and not whole:
                    return
        except RefusedError as error:
            if error.status != httpx.codes.FORBIDDEN:
                raise
            raise CloudError(
                "the audit trail may not be read, and changes since the last time do not show keys",
                not_done="keys that were registered since the last complete read are not seen",
                remedy=_REMEDY,
                detail=error.detail,
            ) from None


def delta_shows_keys(transport: Transport, root: str) -> bool:
    """Whether ``users/delta`` shows the keys of anybody, in the first page of a first round.

    Raises:
        CloudError: it could not be asked.
    """
    url = httpx.URL(f"{root}/beta/users/delta?$select=id,deviceKeys")
    try:
        items = page_items(decode(transport.get(url), url), url)
    except RefusedError as error:
        if error.status == httpx.codes.BAD_REQUEST:
            return False
        raise
    return any(isinstance(item, Mapping) and "deviceKeys" in item for item in items)


def _entries(items: list[object]) -> Iterator[_Entry]:
    """The entries that can be read: of the others the complete read makes up for."""
    for item in items:
        if not isinstance(item, Mapping):
            continue
        try:
            name, at = fields.text(item.get("id"), 256), fields.time(item.get("activityDateTime"))
        except ValueError:
            continue
        yield _Entry(name, at, frozenset(_users(item)))


def _users(item: Mapping[str, object]) -> Iterator[str]:
    """Whom an entry is about: its targets that are users, else who did it."""
    targets = item.get("targetResources")
    by = item.get("initiatedBy")
    candidates = [each for each in (targets if isinstance(targets, list) else []) if isinstance(each, Mapping)]
    users = [each.get("id") for each in candidates if str(each.get("type")).lower() == "user"]
    if not users and isinstance(by, Mapping) and isinstance(user := by.get("user"), Mapping):
        users = [user.get("id")]
    for each in users:
        try:
            yield fields.text(each, 256)
        except ValueError:
            continue
