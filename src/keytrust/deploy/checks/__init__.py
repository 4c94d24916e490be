"""The deployment guide's checklists: pure judgement of facts that `keytrust.deploy.reading` has read."""

from keytrust.deploy.checks.catalogue import CHECKS, chosen
from keytrust.deploy.checks.model import Check, Observation, Result, Section, Verdict, examine, worst

__all__ = ["CHECKS", "Check", "Observation", "Result", "Section", "Verdict", "chosen", "examine", "worst"]
