"""Everything that a report tells."""

from __future__ import annotations

from dataclasses import dataclass

from keytrust.audit.model import Scope
from keytrust.audit.run import Outcome
from keytrust.audit.spool import Findings


@dataclass(frozen=True, slots=True)
class Result:
    """A finished audit."""

    scope: Scope
    findings: Findings
    outcome: Outcome

    def not_checked(self) -> list[str]:
        """What was not checked for lack of something, one sentence each: silence must not pass for a clean bill."""
        said = []
        if not self.scope.cloud:
            said.append("No registered keys were given, so planted keys cannot be told from registered ones (--cloud).")
        if not self.outcome.devices:
            said.append("No devices are known, so orphaned keys cannot be told (--devices).")
        if not self.outcome.descriptors:
            said.append("No security descriptors were read, so it is not known who could plant a key.")
        return said
