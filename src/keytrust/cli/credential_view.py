"""Key credentials as people and programs see them."""

from __future__ import annotations

from typing import Any

from keytrust.cli.output import out, safe, table
from keytrust.credential import (
    ENTRY_NAMES,
    KeyCredential,
    KeyCredentialError,
    KeySource,
    KeyTime,
    KeyUsage,
    RsaPublicKey,
    parse_material,
    weaknesses,
)

_USAGES = {
    KeyUsage.NGC: "NGC (Windows Hello)",
    KeyUsage.STK: "STK (device)",
    KeyUsage.FIDO: "FIDO",
    KeyUsage.FEK: "FEK",
}
_SOURCES = {KeySource.AD: "Active Directory", KeySource.AZURE_AD: "Azure AD"}


def usage_text(credential: KeyCredential) -> str:
    """What the key is for."""
    return _named(_USAGES, credential.usage)


def source_text(credential: KeyCredential) -> str:
    """Where the key says that it comes from."""
    return _named(_SOURCES, credential.source)


def time_text(time: KeyTime | None) -> str:
    """A time as precisely as it is stored; an impossible one as its integer."""
    return "" if time is None else str(time)


def key_text(credential: KeyCredential) -> str:
    """Kind and size of the key, and every weakness by its name."""
    material = credential.key_material
    if material is None:
        return "no key material"
    try:
        parsed = parse_material(material)
    except KeyCredentialError as error:
        return f"unreadable: {error}"
    key = parsed.public_key
    if isinstance(key, RsaPublicKey):
        weak = weaknesses(key.n, key.e)
        return f"RSA-{key.bits} ({parsed.kind})" + (f", WEAK: {', '.join(weak)}" if weak else "")
    return f"{type(key).__name__.removesuffix('PublicKey')} ({parsed.kind})"


def credential_json(credential: KeyCredential) -> dict[str, Any]:
    """Everything that the value says, and everything that is wrong with it."""
    return {
        "version": credential.version,
        "keyId": _hex(credential.key_id),
        "computedKeyId": _hex(credential.computed_key_id),
        "keyHash": _hex(credential.key_hash),
        "usage": credential.usage,
        "usageText": usage_text(credential),
        "source": credential.source,
        "sourceText": source_text(credential),
        "deviceId": str(credential.device_id) if credential.device_id else None,
        "customKeyInformation": _hex(
            credential.custom_key_information.raw if credential.custom_key_information else None
        ),
        "lastLogon": time_text(credential.last_logon) or None,
        "created": time_text(credential.created) or None,
        "key": key_text(credential),
        "keyMaterial": _hex(credential.key_material),
        "entries": [
            {"id": number, "name": _entry_name(number), "length": len(value), "value": value.hex()}
            for number, value in credential.entries
        ],
        "problems": [
            {"code": problem.code.value, "message": problem.message, "entry": problem.entry}
            for problem in credential.problems()
        ],
    }


def show_credential(credential: KeyCredential, dn: str | None = None) -> None:
    """One value as a table, with its problems below."""
    rows = table("", "")
    rows.show_header = False
    information = credential.custom_key_information
    for name, text in (
        ("Account", dn or ""),
        ("KeyID", _hex(credential.key_id) or "missing"),
        ("Key", key_text(credential)),
        ("Usage", usage_text(credential)),
        ("Source", source_text(credential)),
        ("Device", str(credential.device_id or "none")),
        ("Created", time_text(credential.created) or "missing"),
        ("Last logon", time_text(credential.last_logon) or "missing"),
        ("Information", _hex(information.raw) if information else "none"),
        ("Entries", ", ".join(f"{_entry_name(number)} {len(value)}" for number, value in credential.entries)),
    ):
        if text:
            rows.add_row(f"[bold]{name}[/]", safe(text or ""))
    out.print(rows)
    problems = credential.problems()
    for problem in problems:
        out.print(f"[yellow]{problem.code}[/] {safe(problem.message)}")
    if not problems:
        out.print("[green]Intact[/]: KeyID and KeyHash are right, every entry is as it should be.")


def _named(names: dict[Any, str], value: int | None) -> str:
    if value is None:
        return "missing"
    return names.get(value, f"unknown ({value})")


def _entry_name(number: int) -> str:
    return dict(ENTRY_NAMES).get(number, f"entry {number}")  # type: ignore[call-overload, no-any-return]


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
