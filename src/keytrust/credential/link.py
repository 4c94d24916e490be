"""The text of an ``msDS-KeyCredentialLink`` value: DN with binary ([MS-ADTS] 3.1.1.2.2.2.3, Object(DN-Binary)).

``B:<number of hex digits>:<hex digits>:<DN>``. The text is kept exactly as it was read, since deleting a single value
needs the exact stored string.
"""

from __future__ import annotations

from binascii import b2a_hex, unhexlify
from dataclasses import dataclass

from keytrust.credential.errors import KeyCredentialError
from keytrust.credential.key_credential import KeyCredential
from keytrust.credential.layout import MAX_CREDENTIAL_BYTES

MAX_DN_CHARACTERS = 1 << 16
"""Values with a longer DN are refused; Active Directory's own limit is far lower."""
_MAX_TEXT = 2 * MAX_CREDENTIAL_BYTES + MAX_DN_CHARACTERS + 16
_MAX_COUNT_DIGITS = 10


def _decoded(value: object) -> str:
    """The value as text that can be encoded as UTF-8, of bounded size."""
    if not isinstance(value, str | bytes):
        raise KeyCredentialError(f"an attribute value is read from text or bytes, not from {type(value).__name__}")
    if len(value) > 4 * _MAX_TEXT:
        raise KeyCredentialError(f"the attribute value is too long to be a key credential: {len(value)}")
    if isinstance(value, str):
        _require_encodable(value)
        return value
    try:
        return value.decode("utf-8")
    except UnicodeError as error:
        raise KeyCredentialError("the attribute value is not UTF-8 text", detail=str(error)) from error


def _require_encodable(text: str) -> None:
    """Refuse text with half characters (lone surrogates), which no directory could have sent or could store."""
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeError as error:
        raise KeyCredentialError("the text cannot be encoded as UTF-8", detail=str(error)) from error


def _split(text: str) -> tuple[bytes, str]:
    """Split attribute text into its binary and its DN.

    Raises:
        KeyCredentialError: it is not DN with binary.
    """
    parts = text.split(":", 3)
    if len(parts) != 4 or parts[0] != "B":
        raise KeyCredentialError("the attribute value is not of the form B:<count>:<hex>:<DN>")
    _, count, digits, dn = parts
    if not (count.isascii() and count.isdigit()) or len(count) > _MAX_COUNT_DIGITS or int(count) != len(digits):
        raise KeyCredentialError("the attribute value does not hold the number of hex digits that it announces")
    if not 0 < len(dn) <= MAX_DN_CHARACTERS:
        raise KeyCredentialError("the attribute value has no DN, or one that is too long")
    try:
        return unhexlify(digits), dn
    except ValueError as error:
        raise KeyCredentialError("the attribute value has something other than hex", detail=str(error)) from error


@dataclass(frozen=True, slots=True)
class DnWithBinary:
    """DN with binary whatever the binary is: for values that are not readable key credentials.

    Attributes:
        text: The exact text.
        binary: The binary part.
        dn: The DN, as written in the text.
    """

    text: str
    binary: bytes
    dn: str

    @classmethod
    def parse(cls, value: str | bytes) -> DnWithBinary:
        """Read the text (or its UTF-8 bytes) of a value.

        Raises:
            KeyCredentialError: it is not DN with binary.
        """
        text = _decoded(value)
        binary, dn = _split(text)
        return cls(text, binary, dn)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class KeyCredentialLink:
    """A value of ``msDS-KeyCredentialLink``.

    Attributes:
        text: The exact text as stored, which ``str()`` gives back.
        credential: The key credential.
        dn: The DN, as written in the text: the object that holds the value.
    """

    text: str
    credential: KeyCredential
    dn: str

    @classmethod
    def parse(cls, value: str | bytes) -> KeyCredentialLink:
        """Read the text (or its UTF-8 bytes) of a value.

        Raises:
            KeyCredentialError: it is not DN with binary, or the binary is not a key credential; ``DnWithBinary.parse``
                may still read the former.
        """
        text = _decoded(value)
        binary, dn = _split(text)
        return cls(text, KeyCredential(binary), dn)

    @classmethod
    def of(cls, credential: KeyCredential, dn: str) -> KeyCredentialLink:
        """The value that holds ``credential`` on the object ``dn``.

        Raises:
            KeyCredentialError: see ``attribute_text``.
        """
        return cls(attribute_text(credential, dn), credential, dn)

    @property
    def binary(self) -> bytes:
        """The binary part."""
        return self.credential.to_bytes()

    def __str__(self) -> str:
        return self.text


def attribute_text(credential: KeyCredential, dn: str) -> str:
    """The text under which a directory stores ``credential`` on the object ``dn``, with upper-case hex as it answers.

    Raises:
        KeyCredentialError: the DN is empty, too long or not encodable.
    """
    if not 0 < len(dn) <= MAX_DN_CHARACTERS:
        raise KeyCredentialError("a key credential cannot be stored without a DN, or with one that is too long")
    _require_encodable(dn)
    digits = b2a_hex(credential.to_bytes()).decode("ascii").upper()
    return f"B:{len(digits)}:{digits}:{dn}"
