"""When keys were registered, from ``windowsHelloForBusinessMethods`` where ``deviceKeys`` do not say it.

Microsoft Graph tells a key's material in one place and its creation time in another, and names the device of a method
only when asked for that one method. A time is put to a key only where it can be no other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import httpx

from keytrust.cloud import fields
from keytrust.cloud.batch import Batches
from keytrust.cloud.source import NGC, CloudUser, RegisteredKey
from keytrust.cloud.transport import Transport
from keytrust.errors import CloudError

MAX_METHODS = 100
"""Of a user with more methods than this the times are not asked for."""

_REFUSED = frozenset({400, 401, 403, 404, 405, 501})


@dataclass(frozen=True, slots=True)
class _Method:
    id: str
    created: datetime


class CreationTimes:
    """Asks for them over one transport.

    Args:
        transport: An open one.
        base: ``<root>/v1.0``.
    """

    def __init__(self, transport: Transport, base: httpx.URL) -> None:
        self._batches = Batches(transport, base)
        self.refused = False
        """Whether the service would not tell: it needs the permission UserAuthenticationMethod.Read.All."""
        self.failed = False
        """Whether it could not be asked, or could not answer."""

    def fill(self, users: Sequence[CloudUser]) -> list[CloudUser]:
        """The users, with the times of their keys as far as they could be learned.

        A time is of use and not of weight: what goes wrong here costs times, never users or keys.
        """
        wanting = {_path(user): user for user in users if lacks_time(user)}
        known: dict[str, CloudUser] = {}
        try:
            for user in self._learned(wanting):
                known[user.id] = user
        except CloudError:
            self.failed = True  # the keys are known all the same
        return [known.get(user.id, user) for user in users]

    def _learned(self, wanting: Mapping[str, CloudUser]) -> Iterator[CloudUser]:
        several: dict[str, tuple[CloudUser, datetime]] = {}
        statuses = set()
        for answer in self._batches.read(list(wanting)):
            user = wanting[answer.path]
            statuses.add(answer.status)
            methods = _methods(answer.body)
            keys = _wanting(user)
            if len(methods) == len(keys) == 1 and len(user.keys.keys) == 1:
                yield with_times(user, {keys[0]: methods[0].created})
                continue
            for method in methods:
                several[f"{answer.path}/{quote(method.id, safe='')}?$expand=device"] = user, method.created
        self.refused = bool(statuses) and statuses <= _REFUSED
        self.failed = bool(statuses) and statuses.isdisjoint({*_REFUSED, httpx.codes.OK})
        yield from self._joined(several)

    def _joined(self, several: Mapping[str, tuple[CloudUser, datetime]]) -> Iterator[CloudUser]:
        by_user: dict[str, tuple[CloudUser, dict[UUID, list[datetime]]]] = {}
        for answer in self._batches.read(list(several)):
            user, created = several[answer.path]
            device = _device(answer.body)
            if device is not None:
                by_user.setdefault(user.id, (user, {}))[1].setdefault(device, []).append(created)
        for user, by_device in by_user.values():
            times: dict[RegisteredKey, datetime] = {}
            for device, found in by_device.items():
                keys = [key for key in _wanting(user) if key.device_id == device]
                if len(keys) == len(found) == 1:
                    times[keys[0]] = found[0]
            yield with_times(user, times)


def lacks_time(user: CloudUser) -> bool:
    """Whether a key of the user came without its creation time."""
    return bool(_wanting(user))


def with_times(user: CloudUser, times: Mapping[RegisteredKey, datetime]) -> CloudUser:
    """The user, with these creation times."""
    keys = tuple(replace(key, created=times.get(key, key.created)) for key in user.keys.keys)
    return replace(user, keys=replace(user.keys, keys=keys))


def _wanting(user: CloudUser) -> list[RegisteredKey]:
    return [key for key in user.keys.keys if key.key_type == NGC and key.created is None]


def _path(user: CloudUser) -> str:
    return f"/users/{quote(user.id, safe='')}/authentication/windowsHelloForBusinessMethods"


def _methods(body: object) -> list[_Method]:
    items = body.get("value") if isinstance(body, Mapping) else None
    if not isinstance(items, list) or len(items) > MAX_METHODS or _has_more(body):
        return []
    return list(_parsed(items))


def _has_more(body: object) -> bool:
    return isinstance(body, Mapping) and any(name.lower() == "@odata.nextlink" for name in body)


def _parsed(items: Iterable[object]) -> Iterator[_Method]:
    for item in items:
        try:
            if isinstance(item, Mapping):
                yield _Method(fields.text(item.get("id"), 256), fields.time(item.get("createdDateTime")))
        except ValueError:
            continue


def _device(body: object) -> UUID | None:
    device = body.get("device") if isinstance(body, Mapping) else None
    try:
        return fields.guid(device.get("deviceId")) if isinstance(device, Mapping) else None
    except ValueError:
        return None
