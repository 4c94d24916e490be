"""Which ways to read keys work with this service and these permissions. What is not documented is tried."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.key_audits import ADDED
from keytrust.cloud.pages import decode, page_items
from keytrust.cloud.transport import Transport
from keytrust.cloud.user_json import parse_key_list, user_id
from keytrust.errors import CloudError

_SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read something.

    Attributes:
        name: What it is called.
        use: What it is good for.
        permission: The application permission of Microsoft Graph that it needs.
        works: Whether it does; None if that cannot be told, because there is no user to try it on.
        seen: What the service answered.
    """

    name: str
    use: str
    permission: str
    works: bool | None
    seen: str

    @property
    def grant(self) -> str:
        """How to grant the permission; empty if that is not what is missing."""
        if self.works is not False:
            return ""
        return (
            "Entra admin center > App registrations > the application > API permissions > Microsoft Graph > "
            f"Application permissions > {self.permission}, then grant admin consent. "
            "On a registry: the role Registry.Read."
        )


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found. ``keys_readable`` says whether any of the ways shows key material."""

    ways: tuple[Way, ...]

    @property
    def keys_readable(self) -> bool:
        """Whether keys can be read at all."""
        return any(way.works for way in self.ways if way.name in {"collection", "batch", "single"})


def probe(transport: Transport, root: httpx.URL) -> Probe:
    """Try every way, on a few users.

    Raises:
        CloudError: the service cannot be reached, or no token for it can be had.
    """
    base = str(root).rstrip("/")

    def get(path: str) -> dict[str, object]:
        url = httpx.URL(base + path)
        return decode(transport.get(url), url)

    ids: list[str] = []

    def collection() -> tuple[bool | None, str]:
        url = f"/beta/users?$select=id,deviceKeys&$top={_SAMPLE}"
        items = page_items(get(url), httpx.URL(base + url))
        ids.extend(user_id(item) for item in items)
        return _shown(items)

    def batch() -> tuple[bool | None, str]:
        url = httpx.URL(f"{base}/beta/$batch")
        requests = [
            {"id": str(number), "method": "GET", "url": _user(name)} for number, name in enumerate(ids[:_SAMPLE], 1)
        ]
        content = decode(transport.post(url, json.dumps({"requests": requests}).encode()), url)
        responses = content.get("responses")
        answers = [each for each in responses if isinstance(each, Mapping)] if isinstance(responses, list) else []
        refused = sorted({str(each.get("status")) for each in answers if each.get("status") != httpx.codes.OK})
        if refused or not answers:
            return False, f"requests in it were answered {', '.join(refused) or 'not at all'}"
        return _shown([each.get("body") for each in answers])

    def single() -> tuple[bool | None, str]:
        return _shown([get("/beta" + _user(ids[0]))])

    def delta() -> tuple[bool | None, str]:
        content = get("/beta/users/delta?$select=id,deviceKeys&$deltatoken=latest")
        link = {"@odata.deltalink", "@odata.nextlink"} & {name.lower() for name in content}
        return bool(link), "answered with a link to go on from" if link else "answered without a link to go on from"

    def methods() -> tuple[bool | None, str]:
        path = f"/v1.0/users/{quote(ids[0], safe='')}/authentication/windowsHelloForBusinessMethods"
        return True, f"{len(page_items(get(path), httpx.URL(base)))} methods of one user"

    def audits() -> tuple[bool | None, str]:
        name = quote(f"activityDisplayName eq '{ADDED}'")
        items = page_items(get(f"/v1.0/auditLogs/directoryAudits?$top=1&$filter={name}"), httpx.URL(base))
        return True, "answered" if items else "answered; no key was registered lately"

    of_users = "User.Read.All"
    first = _try("collection", "keys of all users, a page at a time", of_users, collection)
    tries: list[tuple[str, str, str, Callable[[], tuple[bool | None, str]], bool]] = [
        ("batch", "keys of 20 users at a time", of_users, batch, True),
        ("single", "keys of one user at a time", of_users, single, True),
        ("delta", "which users changed since the last time", of_users, delta, False),
        ("methods", "when a key was registered", "UserAuthenticationMethod.Read.All", methods, True),
        ("audits", "which users registered or lost a key", "AuditLog.Read.All", audits, False),
    ]
    ways = [first]
    for name, use, permission, work, needs_user in tries:
        if needs_user and not ids:
            ways.append(Way(name, use, permission, None, "not tried: no user was shown"))
        else:
            ways.append(_try(name, use, permission, work))
    return Probe(tuple(ways))


def _try(name: str, use: str, permission: str, work: Callable[[], tuple[bool | None, str]]) -> Way:
    try:
        works, seen = work()
    except RefusedError as error:
        if error.status == httpx.codes.UNAUTHORIZED:
            raise  # it is the token, not the permission
        return Way(name, use, permission, False, f"refused: {error.status} {error.code}".rstrip())
    except CloudError as error:
        if name == "collection":
            raise
        return Way(name, use, permission, False, error.message)
    return Way(name, use, permission, works, seen)


def _user(name: str) -> str:
    return f"/users/{quote(name, safe='')}?$select=id,deviceKeys"


def _shown(users: Sequence[object]) -> tuple[bool | None, str]:
    """Whether users were shown with their keys."""
    if not users:
        return None, "there is no user to try it on"
    with_list = [user for user in users if isinstance(user, Mapping) and "deviceKeys" in user]
    keys = sum(len(parse_key_list(user).keys) for user in with_list)
    seen = f"deviceKeys shown for {len(with_list)} of {len(users)} users, {keys} keys"
    return len(with_list) > 0, seen
