"""One user's JSON to a ``CloudUser``: a pure function shared by Microsoft Graph, the registry and exported files.

Damage is contained where it is: a damaged key entry makes this user's key list ``Unknown`` (and keeps the legible
keys), a damaged join attribute becomes None so that the user cannot be matched by it. Only a user that cannot be
told from another, because its id is missing, is an error.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import TypeVar

from keytrust.cloud import fields
from keytrust.cloud.source import NGC, CloudUser, KeyList, RegisteredKey, Reported, Unknown
from keytrust.errors import CloudError

MAX_KEYS = 5_000
"""A user with more entries than this is damaged or hostile; the key list is then unknown."""

NO_KEYS_PROPERTY = Unknown("no deviceKeys property")
"""The key list of a user who was reported without one."""

_LEGACY_USAGES = {NGC: NGC, "FIDO": "FIDO", "STK": "STK", "FEK": "FEK", "1": NGC, "2": "STK", "7": "FIDO", "8": "FEK"}

T = TypeVar("T")


def user_id(user: object) -> str:
    """The id of a user's JSON. Raises ``CloudError`` if it is not an object, or has no usable id."""
    return _identify(user)[0]


def parse_user(user: object) -> CloudUser:
    """A user as Graph (``deviceKeys``) or the legacy exports (``searchableDeviceKey``) write it.

    Args:
        user: The decoded JSON of one user. Untrusted.

    Raises:
        CloudError: it is not an object, or has no usable id.
    """
    cloud_id, properties = _identify(user)
    enabled = properties.get("accountEnabled")
    return CloudUser(
        id=cloud_id,
        upn=_or_none(lambda value: fields.text(value, 1024), properties.get("userPrincipalName")) or "",
        source_anchor=_source_anchor(properties),
        sid=_or_none(fields.sid, properties.get("onPremisesSecurityIdentifier")),
        keys=parse_key_list(properties),
        enabled=enabled if isinstance(enabled, bool) else None,
    )


def _identify(user: object) -> tuple[str, Mapping[str, object]]:
    if not isinstance(user, Mapping):
        raise _not_a_user(f"an entry of the user list is {fields.kind(user)}, not a user")
    try:
        return fields.text(user.get("id", user.get("objectId")), 256), user
    except ValueError as error:
        raise _not_a_user(f"a user's id {error}") from None


def _not_a_user(what: str) -> CloudError:
    return CloudError(
        what,
        not_done="the read was given up: users that cannot be told apart cannot be matched",
        remedy="look at what the source sends; it is not a list of users",
    )


def parse_key_list(user: Mapping[str, object]) -> KeyList:
    """The key list of one user; absent, null and damaged are ``Unknown``, an empty array is ``Reported(())``."""
    if "deviceKeys" in user and "searchableDeviceKey" in user:
        return Unknown("has both deviceKeys and searchableDeviceKey")
    if "searchableDeviceKey" in user:
        return _parse_entries("searchableDeviceKey", user["searchableDeviceKey"], _legacy_key)
    if "deviceKeys" in user:
        return _parse_entries("deviceKeys", user["deviceKeys"], _graph_key)
    return NO_KEYS_PROPERTY


def _parse_entries(name: str, entries: object, parse_entry: Callable[[Mapping[str, object]], RegisteredKey]) -> KeyList:
    if not isinstance(entries, list):
        return Unknown(f"{name} is {fields.kind(entries)}")
    if len(entries) > MAX_KEYS:
        return Unknown(f"{name} has {len(entries)} entries, more than {MAX_KEYS}")
    keys: list[RegisteredKey] = []
    damage = ""
    for index, entry in enumerate(entries):
        try:
            if not isinstance(entry, Mapping):
                raise ValueError(f"is {fields.kind(entry)}, not an object")  # noqa: TRY004, TRY301 - one kind of damage
            keys.append(parse_entry(entry))
        except ValueError as error:
            damage = damage or f"{name} entry {index} {error}"
    return Unknown(damage, tuple(keys)) if damage else Reported(tuple(keys))


def _graph_key(entry: Mapping[str, object]) -> RegisteredKey:
    return RegisteredKey(
        material=_field(entry, "keyMaterial", fields.binary),
        device_id=_optional(entry, "deviceId", fields.guid),
        key_type=_field(entry, "keyType", lambda value: fields.text(value, 64)),
        created=_optional(entry, "createdDateTime", fields.time),
        custom_key_information=_optional(entry, "customKeyInformation", fields.binary),
    )


def _legacy_key(entry: Mapping[str, object]) -> RegisteredKey:
    material = _field(entry, "keyMaterial", fields.binary)
    identifier = _field(entry, "keyIdentifier", fields.binary)
    usage = str(entry.get("usage"))
    key_type = _LEGACY_USAGES.get(usage)
    if key_type is None:
        raise ValueError("usage is not known")
    # A FIDO credential's identifier is the authenticator's own, not a hash ([MS-ADTS] 2.2.20.6, KeyID).
    if key_type != "FIDO" and not hmac.compare_digest(identifier, hashlib.sha256(material).digest()):
        raise ValueError("keyIdentifier is not the SHA-256 of keyMaterial")
    return RegisteredKey(
        material=material,
        device_id=_optional(entry, "deviceId", fields.guid),
        key_type=key_type,
        created=_optional(entry, "creationTime", fields.time),
        custom_key_information=_optional(entry, "customKeyInformation", fields.binary),
    )


def _source_anchor(user: Mapping[str, object]) -> bytes | None:
    anchor = user.get("onPremisesImmutableId")
    if anchor is None:
        anchor = user.get("immutableId")  # the Azure AD Graph name
    return _or_none(fields.binary, anchor)


def _field(entry: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T:
    try:
        return parse(entry.get(name))
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _optional(entry: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T | None:
    return None if entry.get(name) is None else _field(entry, name, parse)


def _or_none(parse: Callable[[object], T], value: object) -> T | None:
    try:
        return parse(value)
    except ValueError:
        return None
