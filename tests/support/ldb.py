"""Changing a lab's own database for a while, as the system: what no LDAP client may do."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from keytrust.lab import Lab, ldif

SAM = "/var/lib/samba/private/sam.ldb"
_LINE = re.compile(r"^([^:\n]+):(:?) (.*)$", re.MULTILINE)


def values(lab: Lab, dn: str, attribute: str) -> list[bytes]:
    """The values of one attribute of one object."""
    found = lab.run(["ldbsearch", "-H", SAM, "-s", "base", "-b", dn, attribute])
    lines = _LINE.findall(re.sub(r"\n ", "", found.stdout))
    return [
        base64.b64decode(value) if coded else value.encode()
        for name, coded, value in lines
        if name.lower() == attribute.lower()
    ]


def move(lab: Lab, dn: str, to: str) -> None:
    """Rename or move an object."""
    lab.run(["ldbrename", "-H", SAM, dn, to])


@contextmanager
def moved(lab: Lab, dn: str, to: str) -> Iterator[None]:
    """An object by another name or elsewhere, and then where it was."""
    move(lab, dn, to)
    try:
        yield
    finally:
        move(lab, to, dn)


@contextmanager
def attributes(lab: Lab, dn: str, **wanted: str | bytes | Sequence[bytes]) -> Iterator[None]:
    """An object with other values, and then with its own again. ``_`` in a name stands for a hyphen; empty is none."""
    names = {name.replace("_", "-"): value for name, value in wanted.items()}
    before = {name: values(lab, dn, name) for name in names}
    lab.apply_ldif(ldif.replace(dn, {name: value or [] for name, value in names.items()}), relax=True)
    try:
        yield
    finally:
        lab.apply_ldif(ldif.replace(dn, before), relax=True)


@contextmanager
def objects(lab: Lab, made: Mapping[str, Mapping[str, str | bytes | Sequence[str | bytes]]]) -> Iterator[None]:
    """Objects that are there for a while, by their DN, parents first."""
    lab.apply_ldif("".join(ldif.add(dn, entry) for dn, entry in made.items()), relax=True)
    try:
        yield
    finally:
        lab.apply_ldif("".join(map(ldif.delete, reversed(made))), relax=True)
