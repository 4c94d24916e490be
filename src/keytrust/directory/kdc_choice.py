"""Which KDC the Kerberos library asks first: the domain controller that we talk to, which is one itself."""

from __future__ import annotations

import re
from pathlib import Path

from keytrust.private_folder import is_private

_HOST = re.compile(r"[A-Za-z0-9_-]+((?:\.[A-Za-z0-9_-]+)+)\.?")


def preferring(server: str, cache: Path) -> Path | None:
    """A Kerberos configuration that names ``server`` as a KDC of its domain, to be read before the usual one.

    The library puts the KDCs of several files one after the other (krb5.conf(5)), so that the usual ones follow.

    Args:
        server: DNS name of a domain controller; its realm is the rest of the name in capitals, as Active Directory has
            it. For a controller whose name is not below its domain this names a realm that nobody asks for.
        cache: A ticket cache in a directory of ours, where the file is put; None comes of any other, and of a server
            that is named by its address.
    """
    named = _HOST.fullmatch(server)
    if named is None or server.replace(".", "").isdigit() or not is_private(cache.parent):
        return None
    host = server.rstrip(".").lower()
    place = cache.parent / f"{host}.conf"
    if not place.exists():
        realm = named[1].lstrip(".").upper()
        text = f"[realms]\n    {realm} = {{\n        kdc = {host}\n    }}\n"
        partial = place.with_suffix(".partial")
        partial.write_text(text, encoding="ascii")
        partial.replace(place)
    return place
