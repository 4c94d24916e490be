"""What keytrust remembers: runs and the journal."""
