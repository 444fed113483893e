# SPDX-License-Identifier: Apache-2.0
"""What happened, as the SDK tells it: records, their acts, and who served what at some time.

Plain frozen values; they know nothing of protobuf or the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from tabard.releases.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One act within a record.

    Attributes:
        type: `publish`, `promote`, `rollback`, `yank`, `quarantine`, ….
        adapter: `namespace/name`; for keys and policies the namespace.
        digest: The release acted on.
        version: Its version.
        channel: The channel moved.
        previous_digest: Where the channel pointed before.
        effective: False when the log holds the act but it changed nothing.
        note: Why it changed nothing.
        actor: Who did it: an identity, where there is a proof.
        reason: Why.
        on_behalf_of: What an actor with a proof said of itself.
        proof: How the actor has shown who it is: `token`, `jwt`, `certificate`; empty: nobody
            checked, and the actor is what it said of itself.
    """

    type: str
    adapter: str
    digest: str
    version: str
    channel: str
    previous_digest: str
    effective: bool
    note: str = ""
    actor: str = ""
    reason: str = ""
    on_behalf_of: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened, as the log holds it; `seq` is the only order there is.

    Acts of several callers may share a record; `actor` and `reason` are those of the first. A
    history knows neither `id` nor `prev`; a watch does.
    """

    seq: int
    id: str
    time: str
    actor: str
    reason: str
    actions: tuple[Action, ...]
    prev: str


class History(tuple[Record, ...]):
    """Records, oldest first; a notebook shows them as a table of their acts."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from tabard.notebook import table  # noqa: PLC0415 - only notebooks need it

        return table(
            "",
            ("seq", "time", "actor", "act", "adapter", "version", "channel", "reason"),
            (
                (
                    record.seq,
                    record.time,
                    (act.actor or record.actor) + (f" (by {act.proof})" if act.proof else ""),
                    act.type if act.effective else f"{act.type} (no effect)",
                    act.adapter,
                    act.version,
                    act.channel,
                    act.reason or record.reason,
                )
                for record in self
                for act in record.actions
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a channel pointed to at some time.

    Attributes:
        adapter: `namespace/name`.
        channel: The channel.
        release: The release, as it stands today.
        since: The act that had moved the channel there: who, when, why.
    """

    adapter: str
    channel: str
    release: Release
    since: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAt:
    """What was served at a time, by adapter and channel; `is_truncated` when there was more."""

    servings: tuple[Serving, ...]
    is_truncated: bool
