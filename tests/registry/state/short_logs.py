# SPDX-License-Identifier: Apache-2.0
"""Logs of one adapter, one act in each record, and their fold."""

from dataclasses import replace

from hypothesis import strategies as st

from tabard_registry import Record, State, sha256_bytes
from tabard_registry.log.records import Action, AppliedRecord
from tabard_registry.release.release import summarise
from tabard_registry.state.fold import empty_state, fold
from tabard_registry.state.meanings import MEANINGS
from tests.registry.fakes import NAME, small_manifest
from tests.registry.log.json_values import json_values

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0")
DIGESTS = {version: str(small_manifest(version).digest) for version in VERSIONS}
EMPTY = empty_state(registry_id="r", genesis=sha256_bytes(b"format"))


def publication(version: str) -> Action:
    """The publication of a version."""
    manifest = small_manifest(version)
    return Action(
        type="publish",
        adapter=str(NAME),
        digest=DIGESTS[version],
        version=version,
        summary=summarise(manifest),
    )


def act(kind: str, version: str, *, channel: str = "stable") -> Action:
    """A move or a yank of a version."""
    return Action(type=kind, adapter=str(NAME), digest=DIGESTS[version], channel=channel)


def run(*actions: Action, **fields: object) -> tuple[State, tuple[AppliedRecord, ...]]:
    """Fold one record per action; `fields` change the last one."""
    signed = [
        replace(action, actor="ann", reason=f"reason {seq}")
        for seq, action in enumerate(actions, start=1)
    ]
    if signed:
        signed[-1] = replace(signed[-1], **fields)  # type: ignore[arg-type]
    records = [
        Record(seq=seq, prev=sha256_bytes(b""), id=f"id-{seq}", time="t", actions=(action,))
        for seq, action in enumerate(signed, start=1)
    ]
    return fold(EMPTY, [(record, sha256_bytes(record.id.encode())) for record in records])


def stable_of(state: State) -> str:
    """Version on the stable channel."""
    return str(state.adapters[NAME].channels["stable"].version)


kinds = st.sampled_from([*MEANINGS, ""])


texts = st.one_of(
    st.sampled_from([str(NAME), "stable", *VERSIONS, *DIGESTS.values()]), st.text(max_size=8)
)


odd_actions = st.builds(
    Action,
    type=kinds,
    adapter=texts,
    digest=texts,
    version=texts,
    channel=texts,
    summary=st.one_of(
        st.just(publication("1.0.0").summary), st.dictionaries(st.text(), json_values, max_size=3)
    ),
)


good_actions = st.one_of(
    st.sampled_from(VERSIONS).map(publication),
    st.builds(
        act,
        st.sampled_from(["promote", "rollback", "yank", "unyank", "quarantine", "lift", "purge"]),
        st.sampled_from(VERSIONS),
    ),
)
