"""Binding a Kerberos sign-in to the TLS channel that carries it. Has to be imported before python-ldap.

Domain controllers may demand it (LdapEnforceChannelBinding on Windows; Samba's default), so that a sign-in cannot be
relayed into another channel. OpenLDAP 2.5 and later does it when told to: by the hash of the server's certificate
(RFC 5929, section 4). python-ldap has no name for that option and passes on none that it does not know, so that the one
way in is the environment variable that the library reads when it is first loaded (ldap.conf(5), SASL_CBINDING).
"""

from __future__ import annotations

import os

os.environ.setdefault("LDAPSASL_CBINDING", "tls-endpoint")
