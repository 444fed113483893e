# SPDX-License-Identifier: Apache-2.0
"""Records of the log: what was done, by whom, why; as values and as bytes.

One record may hold acts of several callers, so each action says itself who wanted it and why. What
they have in common stands once in the envelope. Decoding is strict about the envelope and lenient
about actions: what an action means is the fold's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeGuard

from tabard_registry.errors import (
    CorruptRegistry,
    InvalidField,
    RegistryError,
    UnusableRegistry,
    restore_object,
)
from tabard_registry.identity.identity import Proof
from tabard_registry.refs.digest import Digest
from tabard_registry.release.manifest import canonical_json

RECORD_VERSION_MAX = 5
"""The highest version of a record that is read; an act that restricts is written with one."""
RECORD_BYTES_MAX = 512 * 1024
"""Largest record that is written or read."""
ACTIONS_MAX = 64
"""Most actions of one record."""
CANARY = "canary"
"""The type of the steps of a canary, whose end may move a channel."""
TOKEN = "token"
"""The type of acts on tokens. They are nobody's history: only the state tells of them."""

_ENVELOPE_TEXTS = ("id", "request_id", "time", "actor", "reason")
_COMMON = ("actor", "reason", "request_id", "expect")
_ACTION_TEXTS = (
    *("type", "adapter", "digest", "version", "channel"),
    *("actor", "reason", "request_id", "on_behalf_of"),
)
_OWN_VERSION = {TOKEN: 2, CANARY: 4}
_RESTRICTING = {"private": 2, "require_identity": 2, "channels": 3, "enforce_sampling": 5}
_GATE_WORDS = frozenset({"bounds", "promote_on_success"})
_GATE_VERSION = 5
_SAMPLING_VERSION = 5
_REVIEW_VERSION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One act within a record; texts that do not apply are empty.

    Attributes:
        type: `publish`, `promote`, `rollback`, `yank`, …, or one of a newer Tabard.
        adapter: The adapter acted on, or the namespace for `key` and `policy`.
        digest: The release acted on, `sha256:…`.
        version: Its version.
        channel: The channel moved.
        summary: For a publication, what list and show need; for others their own fields.
        actor: Who wanted it.
        reason: Why; may be empty.
        request_id: Key of the caller for this act; may be empty.
        on_behalf_of: What an actor who has shown who they are said of themselves; may be empty.
        proof: How the actor has shown it; NONE: nobody checked, and the actor is what they said.
        expect: `adapter@channel` to the digest it must point to, or None for no such channel.
    """

    type: str
    adapter: str = ""
    digest: str = ""
    version: str = ""
    channel: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    actor: str = ""
    reason: str = ""
    request_id: str = ""
    on_behalf_of: str = ""
    proof: Proof = Proof.NONE
    expect: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "summary", MappingProxyType(dict(self.summary)))
        object.__setattr__(self, "expect", MappingProxyType(dict(self.expect)))

    @property
    def version_min(self) -> int:
        """The version of record that stops a Tabard which would allow what the act forbids."""
        if self.type in _OWN_VERSION:
            return _OWN_VERSION[self.type]
        if self.type == "publish":
            # An older Tabard would draw it with another schedule.
            return _SAMPLING_VERSION if "sampling" in self.summary else 1
        if self.type == "evidence":
            # An older Tabard would take it for no evidence, and collect its bytes as garbage.
            return _REVIEW_VERSION if self.summary.get("kind") == "review" else 1
        said = self.summary if self.type == "policy" else {}
        found = [at for word, at in _RESTRICTING.items() if word in said]
        if any(_GATE_WORDS & gate.keys() for gate in _gates_of(said)):
            found.append(_GATE_VERSION)
        return max(found, default=1)

    def to_json(self) -> dict[str, Any]:
        """Write the action as a JSON object without its empty fields."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in _ACTION_TEXTS}
        fields["proof"] = self.proof
        fields["summary"] = dict(self.summary)
        fields["expect"] = dict(self.expect)
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_json(cls, value: object, *, envelope: Mapping[str, Any] | None = None) -> Action:
        """Read any JSON value; what is not understood becomes empty, or as the envelope has it."""
        found = value if isinstance(value, dict) else {}
        said = {**(envelope or {}), **found}
        texts = {
            name: text if isinstance(text := said.get(name), str) else "" for name in _ACTION_TEXTS
        }
        summary, expect = found.get("summary"), said.get("expect", {})
        return cls(
            **texts,
            proof=Proof.read(said.get("proof")),
            summary=summary if isinstance(summary, dict) else {},
            # An expectation that cannot be read must not be taken for none: this one never holds.
            expect=expect if _is_expect(expect) else {"": ""},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One slot of the log.

    Attributes:
        seq: Its slot; the only order there is.
        prev: Digest of the bytes before it: the previous record's, or format.json's.
        id: Random id; tells two writers of one slot apart.
        time: Wall clock of the writer, RFC 3339, UTC; informative only.
        actions: What, by whom, and why.
    """

    seq: int
    prev: Digest
    id: str
    time: str
    actions: tuple[Action, ...]

    @property
    def actor(self) -> str:
        """Who wanted the first action; empty without actions."""
        return self.actions[0].actor if self.actions else ""

    @property
    def reason(self) -> str:
        """Why, for the first action; empty without actions."""
        return self.actions[0].reason if self.actions else ""

    @property
    def version(self) -> int:
        """The version that it is written with: an older Tabard stops at an act that restricts."""
        return max((action.version_min for action in self.actions), default=1)

    def to_bytes(self) -> bytes:
        """Write canonical JSON.

        Raises:
            InvalidField: The record is larger than `RECORD_BYTES_MAX`.
        """
        actions = [action.to_json() for action in self.actions]
        envelope: dict[str, Any] = {"actor": "", "reason": "", "request_id": "", "expect": {}}
        if len(actions) == 1:
            envelope |= {name: actions[0].pop(name) for name in _COMMON if name in actions[0]}
        content = canonical_json(
            {
                "v": self.version,
                "seq": self.seq,
                "prev": str(self.prev),
                "id": self.id,
                "time": self.time,
                **envelope,
                "actions": actions,
            }
        )
        if len(content) > RECORD_BYTES_MAX:
            raise InvalidField(
                f"a record of {len(content)} bytes is too large",
                reason="FIELD_TOO_LONG",
                hint="Shorten notes, trigger words or the reason.",
            )
        return content

    @classmethod
    def from_bytes(cls, content: bytes, *, key: str) -> Record:
        """Read the bytes of a slot.

        Args:
            content: The bytes.
            key: Name of the object, for errors.

        Raises:
            CorruptRegistry: They are not a record.
            UnusableRegistry: A newer Tabard wrote the record.
        """
        try:
            document = json.loads(content)
            _check_envelope(document, key=key)
            return cls(
                seq=document["seq"],
                prev=Digest.parse(document["prev"]),
                id=document["id"],
                time=document["time"],
                actions=tuple(
                    Action.from_json(item, envelope={k: document[k] for k in _COMMON})
                    for item in document["actions"]
                ),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise corrupt_record(key, detail=repr(error)) from error
        except UnusableRegistry:
            raise
        except RegistryError as error:
            raise corrupt_record(key, detail=str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the fold made of one action.

    Attributes:
        effective: Whether it changed the state.
        note: Why not, when it did not; of an edit the words that it changed, of a promotion the
            override that it needed; otherwise empty.
        previous_digest: Where the channel pointed before, for a move.
    """

    effective: bool
    note: str = ""
    previous_digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRecord:
    """A record with its effects, as history shows it.

    Attributes:
        record: The record.
        effects: One effect for each action, in order.
        is_own: Whether this process wrote it; for as long as it is among the newest.
    """

    record: Record
    effects: tuple[Effect, ...]
    is_own: bool = field(default=False, compare=False)

    @property
    def seq(self) -> int:
        """Position in the log."""
        return self.record.seq


def time_text(time: datetime) -> str:
    """Write a time as records have it, so that texts compare as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def corrupt_record(key: str, *, detail: str) -> CorruptRegistry:
    """Say that the object `key` is not a record, and what to do."""
    return CorruptRegistry(
        f"{key} is not a record: {detail[:200]}",
        reason="CORRUPT_RECORD",
        hint=restore_object(key),
    )


def _check_envelope(document: Any, *, key: str) -> None:
    if not isinstance(document, dict):
        raise TypeError("not a JSON object")
    version = document["v"]
    if type(version) is not int:
        raise TypeError("v is not a number")
    if version > RECORD_VERSION_MAX:
        raise UnusableRegistry(
            f"{key} was written by a newer Tabard (record version {version})",
            reason="NEWER_PROTOCOL",
            hint="Upgrade Tabard on this machine.",
        )
    expect, actions = document["expect"], document["actions"]
    texts_valid = all(isinstance(document[name], str) for name in (*_ENVELOPE_TEXTS, "prev"))
    if not (texts_valid and _is_expect(expect) and type(document["seq"]) is int and document["id"]):
        raise TypeError("a field of the envelope has the wrong type")
    if not isinstance(actions, list) or len(actions) > ACTIONS_MAX:
        raise TypeError("actions are not a list, or too many")


def _gates_of(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    channels = said.get("channels")
    gates = channels.values() if isinstance(channels, dict) else ()
    return [gate for gate in gates if isinstance(gate, dict)]


def _is_expect(value: object) -> TypeGuard[dict[str, str | None]]:
    return isinstance(value, dict) and all(
        found is None or isinstance(found, str) for found in value.values()
    )
