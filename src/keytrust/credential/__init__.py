"""The key credential format of ``msDS-KeyCredentialLink``: read, verify, build ([MS-ADTS] 2.2.20). Pure, no I/O."""

from keytrust.credential.acceptance import objections, samba_objections, windows_objections
from keytrust.credential.build import ENTRA_CUSTOM_KEY_INFORMATION, Dialect, build
from keytrust.credential.custom_info import CustomKeyFlags, CustomKeyInformation, KeyStrength, VolumeType
from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.fido import FidoMaterial
from keytrust.credential.identifiers import ENTRY_NAMES, EntryId, KeySource, KeyUsage
from keytrust.credential.key_credential import KeyCredential
from keytrust.credential.layout import MAX_CREDENTIAL_BYTES, MAX_ENTRIES
from keytrust.credential.link import DnWithBinary, KeyCredentialLink, attribute_text
from keytrust.credential.material import KeyMaterial, MaterialKind, canonical_key_id, parse_material
from keytrust.credential.public_keys import (
    MAX_RSA_BITS,
    EcPublicKey,
    OtherPublicKey,
    PublicKey,
    RsaPublicKey,
    is_canonical_rsa1,
    rsa1_from_key,
    to_rsa1,
)
from keytrust.credential.times import KeyTime, TimeForm, TimeKind
from keytrust.credential.verification import Problem, ProblemCode
from keytrust.credential.weakness import MIN_RSA_BITS, Weakness, weaknesses

__all__ = [
    "ENTRA_CUSTOM_KEY_INFORMATION",
    "ENTRY_NAMES",
    "MAX_CREDENTIAL_BYTES",
    "MAX_ENTRIES",
    "MAX_RSA_BITS",
    "MIN_RSA_BITS",
    "CustomKeyFlags",
    "CustomKeyInformation",
    "Dialect",
    "DnWithBinary",
    "EcPublicKey",
    "EntryId",
    "FidoMaterial",
    "KeyCredential",
    "KeyCredentialError",
    "KeyCredentialLink",
    "KeyMaterial",
    "KeySource",
    "KeyStrength",
    "KeyTime",
    "KeyUsage",
    "MaterialKind",
    "OtherPublicKey",
    "Problem",
    "ProblemCode",
    "PublicKey",
    "RsaPublicKey",
    "TimeForm",
    "TimeKind",
    "VolumeType",
    "Weakness",
    "attribute_text",
    "build",
    "canonical_key_id",
    "is_canonical_rsa1",
    "objections",
    "parse_material",
    "rsa1_from_key",
    "samba_objections",
    "to_rsa1",
    "weaknesses",
    "windows_objections",
]
