# SPDX-License-Identifier: Apache-2.0
"""What happened, one act at a time: the values that history answers with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tabard_registry.identity.identity import Proof

MOVES = frozenset({"promote", "rollback"})
"""Acts whose purpose is to move a channel; the end of a canary may move one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One act and what came of it; texts that do not apply are empty.

    Attributes:
        seq: Log position; several acts of one record share it.
        time: Wall clock of the writer, RFC 3339, UTC; informative only.
        actor: Who; as far as `proof` goes, what they said of themselves.
        reason: Why.
        type: `publish`, `promote`, `rollback`, ….
        adapter: The adapter acted on.
        version: The release acted on.
        digest: Its digest, `sha256:…`.
        channel: The channel moved.
        previous_digest: Where the channel pointed before.
        effective: False when the act was not valid at its position and changed nothing.
        note: Why it was not; of an edit the words that it changed, of a promotion the override that
            it needed.
        position: Which act of its record it is, from 0.
        proof: How the actor has shown who they are; NONE: nobody checked.
        on_behalf_of: What an actor who has shown that said of themselves beside it.
    """

    seq: int
    time: str
    actor: str
    reason: str
    type: str
    adapter: str = ""
    version: str = ""
    digest: str = ""
    channel: str = ""
    previous_digest: str = ""
    effective: bool = True
    note: str = ""
    position: int = 0
    proof: Proof = Proof.NONE
    on_behalf_of: str = ""

    @property
    def is_move(self) -> bool:
        """Whether it moved a channel."""
        return self.effective and (self.type in MOVES or bool(self.previous_digest))
