"""One user now, by whatever of them is known: for a question about one person, where a full read would be absurd."""

from __future__ import annotations

import base64
from urllib.parse import quote

import httpx

from keytrust.cloud import diagnosis
from keytrust.cloud.diagnosis import RefusedError
from keytrust.cloud.one_user import UserName, one_of
from keytrust.cloud.origin import shown
from keytrust.cloud.pages import decode, page_items
from keytrust.cloud.source import CloudUser
from keytrust.cloud.transport import Transport
from keytrust.cloud.user_json import parse_user


def find(transport: Transport, base: httpx.URL, select: str, name: UserName) -> CloudUser | None:
    """The user with this name, with their keys; None if the service has none.

    By any other name than the id a user is first looked for and then read by id: what a service finds, it finds in an
    index that may lag behind, and not every service shows keys there.

    Args:
        transport: An open one.
        base: ``<root>/beta``.
        select: The properties to ask for.
        name: Who is wanted.

    Raises:
        CloudError: the service could not be asked, has two such users, or answers about somebody else.
    """
    cloud_id = name.id if name.id is not None else _look_for(transport, base, name)
    if cloud_id is None:
        return None
    url = httpx.URL(f"{base}/users/{quote(cloud_id, safe='')}?$select={select}")
    try:
        user = parse_user(decode(transport.get(url), url))
    except RefusedError as error:
        if error.status == httpx.codes.NOT_FOUND:
            return None
        raise
    # Ids are compared as the service writes them when it was the service that told us this one.
    if user.id.casefold() != cloud_id.casefold():
        raise diagnosis.unusable(url, "answered about another user than the one asked for")
    return user


def _look_for(transport: Transport, base: httpx.URL, name: UserName) -> str | None:
    if name.upn is not None:
        criterion, value = "userPrincipalName", name.upn
    else:
        criterion, value = "onPremisesImmutableId", base64.b64encode(name.source_anchor or b"").decode("ascii")
    quoted = value.replace("'", "''")
    query = {"$select": f"id,{criterion}", "$filter": f"{criterion} eq '{quoted}'"}
    url = httpx.URL(f"{base}/users").copy_merge_params(query)
    users = [parse_user(item) for item in page_items(decode(transport.get(url), url), url)]
    # A service that does not know $filter answers with everybody.
    if not all(name.fits(user) for user in users):
        raise diagnosis.unusable(url, "answered about other users than the one asked for")
    found = one_of(users, name, shown(url))
    return None if found is None else found.id
