"""Group policies of a lab, made by Samba's own tools, and the file server that they lie on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import breaking

from keytrust.lab import Lab
from keytrust.lab.provision import write_secret

_CREDENTIALS = "/root/gpo"
KEY = "Software\\Policies\\Microsoft\\PassportForWork"


@contextmanager
def file_server(lab: Lab) -> Iterator[None]:
    """The domain controller with its file server, which a lab does without."""
    with breaking.edited(lab, "/etc/samba/smb.conf", "server services = ", "server services = s3fs, winbindd, "):
        password = lab.spec.administrator_password.read_text(encoding="utf-8")
        place = lab.spec.tree / _CREDENTIALS.lstrip("/")
        write_secret(place, f"username=administrator\npassword={password}\ndomain={lab.spec.netbios}\n".encode())
        try:
            yield
        finally:
            place.unlink()


@contextmanager
def policy(lab: Lab, name: str, container: str, **numbers: int) -> Iterator[str]:
    """A group policy that sets these numbers for computers, linked to ``container``; yields its folder in SYSVOL."""
    made = _tool(lab, "create", name)
    found = re.search(r"\{[^}]*\}", made)
    assert found is not None, made
    guid = found[0]
    settings = [
        {"keyname": KEY, "valuename": value, "class": "MACHINE", "type": "REG_DWORD", "data": data}
        for value, data in numbers.items()
    ]
    try:
        _tool(lab, "load", guid, text=json.dumps(settings))
        _tool(lab, "setlink", container, guid)
        yield f"{lab.spec.tree}/var/lib/samba/sysvol/{lab.spec.domain}/Policies/{guid}"
    finally:
        _tool(lab, "del", guid)


def _tool(lab: Lab, *arguments: str, text: str | None = None) -> str:
    command = ["samba-tool", "gpo", *arguments, "-H", f"ldap://{lab.spec.dc_host}", "-A", _CREDENTIALS]
    return lab.run(command, input=text).stdout
