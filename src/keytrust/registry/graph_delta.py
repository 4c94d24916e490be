"""``users/delta``: everybody once, and then who changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from sqlalchemy import Connection

from keytrust.registry import changes, delta_tokens, graph_users
from keytrust.registry.delta_tokens import DeltaState
from keytrust.registry.odata import ODataError

DEFAULT_PAGE = 200


def begin(connection: Connection, instance: str, names: Sequence[str], now: int, *, latest: bool) -> DeltaState:
    """The state of a read that begins now; with ``latest``, of one that has reported everybody already.

    ``names`` are the selected properties, to which ``id`` belongs always.
    """
    with_id = tuple(dict.fromkeys(("id", *names)))
    return DeltaState(instance, now, changes.latest(connection), None, not latest, with_id)


def resume(
    connection: Connection, token: str, instance: str, known: frozenset[str], now: int, start: str
) -> DeltaState:
    """The state of a token.

    Args:
        connection: A reading transaction.
        token: What the client sent.
        instance: Which database this is.
        known: The properties that may be selected.
        now: Seconds since 1970.
        start: Where a new read begins, for a client whose state is lost.

    Raises:
        ODataError: 400, not a token of ours; 410, one that is too old, or of another or a restored database.
    """
    state = delta_tokens.decode(token)
    if not known.issuperset(state.names):
        gone(start)
    ahead = state.seq > changes.latest(connection)  # a database put back from a copy has forgotten changes
    if state.instance != instance or ahead or now - state.issued > delta_tokens.LIFETIME:
        gone(start)
    return state


def page(
    connection: Connection, state: DeltaState, size: int, now: int
) -> tuple[list[dict[str, object]], DeltaState, bool]:
    """A page of users, the state after it, and whether the round is complete."""
    if state.first:
        found, after = graph_users.list_users(connection, state.names, top=size, after=state.after, where=None)
        if after is not None:
            return found, replace(state, after=after), False
        return found, replace(state, after=None, first=False, issued=now), True
    found, seq, more = graph_users.changed_users(connection, state.names, after=state.seq, top=size)
    return found, replace(state, seq=seq, issued=state.issued if more else now), not more


def gone(start: str) -> NoReturn:
    """Raise the 410 that tells a client to start over."""
    raise ODataError(410, "syncStateNotFound", "The sync state is not found: begin again.", {"Location": start})
