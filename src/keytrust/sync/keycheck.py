"""Which registered keys are too dangerous to let anyone sign in with (rule 9). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keytrust.credential import (
    KeyCredentialError,
    MaterialKind,
    RsaPublicKey,
    Weakness,
    parse_material,
    weaknesses,
)
from keytrust.sync.model import RefusalCode
from keytrust.sync.policy import Allow


@dataclass(frozen=True, slots=True)
class KeyFault:
    """What is wrong with a key.

    Attributes:
        code: The kind of refusal.
        allowed_by: The policy that lets it pass all the same; None when nothing does.
        sentence: For the operator.
    """

    code: RefusalCode
    allowed_by: Allow | None
    sentence: str


def key_faults(material: bytes) -> list[KeyFault]:
    """Everything that is wrong with a registered key's material; empty when it is fit to be written."""
    try:
        parsed = parse_material(material)
    except KeyCredentialError as error:
        return [KeyFault(RefusalCode.UNREADABLE, None, f"its material cannot be read: {error}")]
    if parsed.kind is not MaterialKind.RSA1 or not isinstance(parsed.public_key, RsaPublicKey):
        return [
            KeyFault(
                RefusalCode.UNREADABLE,
                None,
                f"its material is {parsed.kind}, and domain controllers take only RSA in the BCRYPT RSA1 form",
            )
        ]
    return [_fault(weakness) for weakness in weaknesses(parsed.public_key.n, parsed.public_key.e)]


def _fault(weakness: Weakness) -> KeyFault:
    if weakness is Weakness.ROCA:
        return KeyFault(
            RefusalCode.ROCA_WEAK,
            Allow.ROCA_WEAK,
            "its private half can be computed from the public one (ROCA, CVE-2017-15361)",
        )
    return KeyFault(RefusalCode.WEAK_RSA, Allow.WEAK_RSA, f"it is a weak RSA key ({weakness})")
