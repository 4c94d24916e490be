"""Reading the facts that the checks judge: over LDAP, TLS, Kerberos, DNS and HTTP, each bounded in time and size."""
