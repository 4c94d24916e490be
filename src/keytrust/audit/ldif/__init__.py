"""Reading LDIF dumps of any size (RFC 2849), as OpenLDAP's tools and ``ldifde`` write them."""
