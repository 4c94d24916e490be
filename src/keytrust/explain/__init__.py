"""``keytrust explain``: can this user sign in by key, at which domain controller, and if not, why not."""
