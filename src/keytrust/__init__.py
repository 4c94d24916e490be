"""Windows Hello for Business key trust for Active Directory, without Entra Connect."""

from keytrust import channel_binding as channel_binding  # before anything imports python-ldap

__version__ = "0.1.0"
