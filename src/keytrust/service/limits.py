"""Whether removals may be made, given how many there are and were (rule 4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, exists, func, select

from keytrust.service.duty import Duty
from keytrust.service.journal_queries import removals_since
from keytrust.store.mirror_tables import account_values, cloud_keys, cloud_users

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def held_because(connection: Connection, duty: Duty, removals: int, theirs: datetime | None) -> str:
    """Why no removal may be made when so many are to be; empty when all may.

    Args:
        connection: To the store.
        duty: The domain.
        removals: How many.
        theirs: What time it is by the domain controller's clock. Of the two clocks the one that is behind counts: a
            day has not gone by because somebody has put this machine's clock forward.
    """
    if not removals:
        return ""
    mirror, policy = duty.mirror.id, duty.policy
    population = connection.execute(
        select(func.count()).where(account_values.c.mirror == mirror, account_values.c.cloud_origin)
    ).scalar_one()
    limit = policy.removals_allowed(population)
    if removals > limit:
        return (
            f"{removals} or more removals exceed the limit of {limit} at a time"
            f" ({population} cloud-origin keys in the domain), so none is made"
        )
    ours = datetime.now(UTC)
    now = min(ours, theirs or ours)
    done = removals_since(connection, duty.domain_sid, now - DAY)
    limit = policy.removals_allowed_per_day(population)
    if done + removals > limit:
        ahead = f" (this clock is {(ours - now) / HOUR:.1f} h ahead of the domain's)" if ours - now > HOUR else ""
        return (
            f"{removals} removals after {done} within a day{ahead} exceed the limit of {limit} a day, so none is made"
        )
    same = (cloud_users.c.mirror == cloud_keys.c.mirror) & (cloud_users.c.id == cloud_keys.c.user)
    some = select(cloud_keys.c.user).join(cloud_users, same).where(cloud_keys.c.mirror == mirror, cloud_users.c.known)
    if removals > 1 and not connection.execute(select(exists(some))).scalar_one():
        return f"the cloud reports not one key for anybody, which is taken for a fault: {removals} removals not made"
    return ""
