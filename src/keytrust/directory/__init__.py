"""Active Directory over LDAP: sessions, domain controllers, accounts and their key links."""

from keytrust.directory.account import KEY_LINK, Account, guid_text
from keytrust.directory.domain import Domain
from keytrust.directory.session import Answer, Session, Verdict
from keytrust.directory.settings import DirectorySettings

__all__ = ["KEY_LINK", "Account", "Answer", "DirectorySettings", "Domain", "Session", "Verdict", "guid_text"]
