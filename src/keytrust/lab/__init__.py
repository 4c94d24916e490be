"""A real Active Directory domain controller on this machine, for the demo and the tests."""

from __future__ import annotations

from keytrust.lab.lab import Lab
from keytrust.lab.spec import LabSpec
from keytrust.lab.status import LabStatus
from keytrust.lab.users import LabUser

__all__ = ["Lab", "LabSpec", "LabStatus", "LabUser"]
