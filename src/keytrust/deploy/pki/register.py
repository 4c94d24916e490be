"""What an authority has issued and revoked: one JSON file beside its certificate. Pure."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from keytrust.deploy.errors import SetupError
from keytrust.pki.revocation import Reason, Revoked


class Issued(BaseModel):
    """A certificate.

    Attributes:
        serial: In hexadecimal digits.
        host: The domain controller's DNS name.
        names: All DNS names.
        realm: Kerberos realm.
        guid: The controller's GUID, when it is in it.
        made: When it was issued.
        until: When it ends.
        file: The certificate's file when it was issued.
        revoked: When it was revoked.
        reason: Why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    serial: str
    host: str
    names: tuple[str, ...]
    realm: str
    guid: str | None = None
    made: datetime
    until: datetime
    file: str
    revoked: datetime | None = None
    reason: Reason | None = None


class Register(BaseModel):
    """All of it.

    Attributes:
        version: Of this format.
        crl_url: Where clients find the list of revoked certificates; goes into every certificate.
        crl_number: That of the latest list.
        certificates: In the order of their issue.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = 1
    crl_url: str | None = None
    crl_number: int = 0
    certificates: tuple[Issued, ...] = ()

    def text(self) -> bytes:
        """As the file has it."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    @classmethod
    def parse(cls, content: bytes, name: str) -> Register:
        """From the content of the file ``name``.

        Raises:
            SetupError: it is none, or a newer keytrust wrote it.
        """
        try:
            found = cls.model_validate_json(content)
        except ValidationError as error:
            raise SetupError(
                f"{name} is not a register of certificates.",
                not_done="Nothing was changed.",
                remedy="Put it back from a copy: without it nothing can be revoked.",
                detail=str(error),
            ) from error
        if found.version != 1:
            raise SetupError(
                f"{name} has the format {found.version}, which this keytrust does not know.",
                not_done="Nothing was changed.",
                remedy="Use the newer version that wrote it.",
            )
        return found

    def with_issued(self, issued: Issued) -> Register:
        """With one certificate more."""
        return self.model_copy(update={"certificates": (*self.certificates, issued)})

    def with_list(self, number: int) -> Register:
        """With a new list of revoked certificates."""
        return self.model_copy(update={"crl_number": number})

    def with_revoked(self, serials: set[str], at: datetime, reason: Reason) -> Register:
        """With these certificates revoked; those that are already stay as they are."""
        revoked = {"revoked": at, "reason": reason}
        every = (
            each.model_copy(update=revoked) if each.serial in serials and each.revoked is None else each
            for each in self.certificates
        )
        return self.model_copy(update={"certificates": tuple(every)})

    def revoked(self, now: datetime) -> list[Revoked]:
        """Those that a list must name: revoked, and not expired anyway."""
        return [
            Revoked(int(each.serial, 16), each.revoked, each.reason or Reason.UNSPECIFIED)
            for each in self.certificates
            if each.revoked is not None and each.until > now
        ]

    def latest(self, host: str) -> Issued | None:
        """The latest certificate of a host that is not revoked."""
        found = [each for each in self.certificates if each.host == host and each.revoked is None]
        return found[-1] if found else None
