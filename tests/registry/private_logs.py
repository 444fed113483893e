# SPDX-License-Identifier: Apache-2.0
"""Random logs with a private namespace, and the same logs as somebody outside of it knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tabard_registry import AdapterName, Grants, Member, Role, Version
from tabard_registry.release.release import summarise
from tests.registry.fakes import small_manifest
from tests.registry.random_logs import LINES, MANIFESTS, act, publication

PRIVATE = AdapterName("guild", "oil")
MIX = AdapterName("acme", "mix")
OUTSIDE = Grants({"acme": frozenset({Role.ADMIN}), "guilder": frozenset({Role.GENERATE})})
INSIDE = Grants({"guild": frozenset({Role.GENERATE})})

_INK = MANIFESTS[LINES[0], "1.0.0"]
_OIL = small_manifest("1.0.0", adapter=PRIVATE, content=b"oil")
# Neighbours in the order of names, on both sides of the private ones.
NEIGHBOURS = (
    AdapterName("guild-a", "ink"),
    AdapterName("guild0", "ink"),
    AdapterName("guilder", "x"),
)


def published(manifest: Any) -> dict[str, Any]:
    """The publication of a manifest, as the log holds it."""
    return {
        "type": "publish",
        "adapter": str(manifest.adapter),
        "version": str(manifest.version),
        "digest": str(manifest.digest),
        "summary": summarise(manifest),
    }


def moved(manifest: Any, kind: str, channel: str = "") -> dict[str, Any]:
    """An act on a manifest's release."""
    found = published(manifest)
    return {**found, "type": kind, "channel": channel, "reason": "because", "summary": {}}


def recipe(version: str, *, of: Sequence[Any]) -> Any:
    """The manifest of a recipe in a public namespace."""
    members = tuple(
        Member(adapter=one.adapter, version=one.version, digest=one.digest, weight=0.5)
        for one in of
    )
    return replace(
        _INK,
        adapter=MIX,
        version=Version.parse(version),
        kind="recipe",
        members=members,
        original=(),
        canonical=None,
        targets=(),
    )


OPEN_MIX, CLOSED_MIX = recipe("1.0.0", of=[_INK]), recipe("2.0.0", of=[_INK, _OIL])
POLICY = {"type": "policy", "adapter": "guild", "summary": {"private": True}}
BEGINNING = [
    POLICY,
    publication((LINES[0], "1.0.0")),
    published(_OIL),
    published(CLOSED_MIX),
]

hidden_actions = st.sampled_from(
    [
        published(small_manifest("2.0.0", adapter=PRIVATE, content=b"two")),
        published(CLOSED_MIX),
        moved(CLOSED_MIX, "promote", "beta"),
        moved(CLOSED_MIX, "yank"),
        moved(_OIL, "promote", "stable"),
        moved(_OIL, "yank"),
        {"type": "key", "adapter": "guild", "summary": {}},
        {"type": "yank", "adapter": "guild/nothing"},
        {"type": "odd", "adapter": "guild/No Name"},
    ]
)
seen_actions = st.sampled_from(
    [
        published(OPEN_MIX),
        moved(OPEN_MIX, "promote", "stable"),
        publication((LINES[1], "1.0.0")),
        act("promote", (LINES[0], "1.0.0"), "stable"),
        act("yank", (LINES[0], "1.0.0"), ""),
        *(published(small_manifest("1.0.0", adapter=name)) for name in NEIGHBOURS),
        {"type": "yank", "adapter": "acme/nothing"},
    ]
)
logs = st.lists(
    st.lists(st.tuples(st.booleans(), hidden_actions, seen_actions), max_size=4), max_size=8
).map(
    lambda records: [
        BEGINNING,
        *([hidden if is_hidden else seen for is_hidden, hidden, seen in one] for one in records),
    ]
)


def is_hidden(action: dict[str, Any]) -> bool:
    """Whether an act is nothing for who is outside."""
    return action["adapter"].partition("/")[0] == "guild" or action.get("digest") == str(
        CLOSED_MIX.digest
    )


def as_known_outside(log: Sequence[Sequence[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The log without what is hidden; empty acts keep the places of the others."""
    return [[{} if is_hidden(action) else action for action in record] for record in log]
