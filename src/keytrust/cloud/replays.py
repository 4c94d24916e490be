"""The same user reported more than once (a replayed page, a user that moved between pages): one user comes out.

Where the copies disagree nothing may be concluded: the key list becomes ``Unknown`` with only the keys that every copy
has, and if even the identity differs the user can no longer be matched at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keytrust.cloud.source import CloudUser, Reported, Unknown


def merge_copies(copies: Sequence[CloudUser]) -> CloudUser:
    """One user from all its copies (at least one, all with the same id)."""
    first = copies[0]
    if any((copy.source_anchor, copy.sid) != (first.source_anchor, first.sid) for copy in copies):
        reason = f"reported {len(copies)} times with different identities"
        return replace(first, source_anchor=None, sid=None, keys=Unknown(reason))
    merged = replace(first, enabled=first.enabled if all(copy.enabled == first.enabled for copy in copies) else None)
    key_sets = [frozenset(copy.keys.keys) for copy in copies]
    if all(isinstance(copy.keys, Reported) for copy in copies) and all(keys == key_sets[0] for keys in key_sets):
        return merged
    if all(copy.keys == first.keys for copy in copies):
        return merged
    agreed = frozenset.intersection(*key_sets)
    reason = f"reported {len(copies)} times with different keys"
    return replace(merged, keys=Unknown(reason, tuple(key for key in first.keys.keys if key in agreed)))
