"""Security descriptors: reading them ([MS-DTYP] 2.4.6), and who may write a certain attribute by them."""

from keytrust.directory.security.descriptor import Ace, SecurityDescriptor, SecurityDescriptorError
from keytrust.directory.security.writers import Right, Writer, key_link_writers

__all__ = ["Ace", "Right", "SecurityDescriptor", "SecurityDescriptorError", "Writer", "key_link_writers"]
