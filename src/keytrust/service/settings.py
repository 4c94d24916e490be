"""The ``[service]`` table: how ``keytrust run`` works."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from keytrust.cloud.settings import CloudKind

_POLL_SECONDS = {CloudKind.REGISTRY: 0.25, CloudKind.GRAPH: 2.0}


class ServiceSettings(BaseModel):
    """The ``[service]`` table.

    Attributes:
        poll_seconds: How often the cloud is asked who changed; by default every 2 s, and every 0.25 s for keytrust's
            own registry. A cloud that throttles is asked less often by itself.
        directory_poll_seconds: How often the domain is asked who changed.
        reconcile_hours: How often both sides are read completely.
        staging: Do everything but change the directory: what would be changed is logged.
        vanish_limit: After so many writes of one key to one account within a day, each of which did not last, it is
            reported and not written again that day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll_seconds: float | None = Field(default=None, ge=0.05, le=3600)
    directory_poll_seconds: float = Field(default=1.0, ge=0.05, le=3600)
    reconcile_hours: float = Field(default=24.0, gt=0, le=24 * 7)
    staging: bool = False
    vanish_limit: int = Field(default=3, ge=1, le=100)

    def cloud_seconds(self, kind: CloudKind) -> float:
        """Seconds between two polls of a key source of this kind."""
        return self.poll_seconds or _POLL_SECONDS.get(kind, 2.0)
