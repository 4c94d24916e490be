"""Health, metrics and one status page over HTTP, beside ``keytrust run``."""
