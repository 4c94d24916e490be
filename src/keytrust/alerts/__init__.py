"""Telling a person's systems what the service met: by webhook and by syslog."""
