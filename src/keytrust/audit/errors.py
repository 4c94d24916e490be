"""The error of this package."""

from keytrust.errors import KeytrustError


class AuditError(KeytrustError):
    """What was to be audited cannot be read, or a file that goes with it (baseline, devices, report) cannot be used."""
