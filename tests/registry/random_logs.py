# SPDX-License-Identifier: Apache-2.0
"""Random logs, and their fold: sound acts on a few releases, tokens, odd ones, any JSON at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tabard_registry import AdapterName, Record, State, sha256_bytes
from tabard_registry.log.records import RECORD_VERSION_MAX, AppliedRecord
from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import CHECKS
from tabard_registry.release.release import summarise
from tabard_registry.state.fold import empty_state, fold
from tests.registry.fakes import small_manifest
from tests.registry.state.random_gates import gates, measurements

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)


GENESIS = sha256_bytes(b"format")


EMPTY = empty_state(registry_id="r", genesis=GENESIS)


LINES = (AdapterName("acme", "ink"), AdapterName("acme", "oil"))


VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0-rc.1")


CHANNELS = ("stable", "canary")


MANIFESTS = {
    (line, version): small_manifest(version, adapter=line) for line in LINES for version in VERSIONS
}


DIGESTS = {place: str(manifest.digest) for place, manifest in MANIFESTS.items()}


MOVES = ("promote", "rollback")


STANDINGS = ("yank", "unyank", "quarantine", "lift", "purge")


KINDS = (
    "publish",
    *MOVES,
    *STANDINGS,
    "edit",
    "sign",
    "key",
    "policy",
    "token",
    "gc_intent",
    "gc_done",
    "evidence",
    "review",
    "vote",
    "grid",
    "canary",
    "newer",
    "",
)


def publication(place: tuple[AdapterName, str]) -> dict[str, Any]:
    """The publication of a version, as the log holds it."""
    line, version = place
    return {
        "type": "publish",
        "adapter": str(line),
        "version": version,
        "digest": DIGESTS[place],
        "summary": summarise(MANIFESTS[place]),
    }


def act(kind: str, place: tuple[AdapterName, str], channel: str) -> dict[str, Any]:
    """A move or another act on a release."""
    line, version = place
    return {
        "type": kind,
        "adapter": str(line),
        "version": version,
        "digest": DIGESTS[place],
        "channel": channel,
        "reason": "because",
    }


places = st.sampled_from(sorted(MANIFESTS))


words = st.one_of(
    st.sampled_from([*map(str, LINES), *VERSIONS, *CHANNELS, *DIGESTS.values()]),
    st.text(max_size=6),
)


expectations = st.dictionaries(
    st.sampled_from([f"{line}@{channel}" for line in LINES for channel in CHANNELS]) | words,
    st.none() | st.sampled_from(sorted(DIGESTS.values())) | words,
    max_size=2,
)


request_ids = st.sampled_from(["", "", "", "a", "b", "c"])


amendments = st.fixed_dictionaries(
    {},
    optional={
        "notes": st.sampled_from(["", "dry", "wet"]),
        "trigger_words": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "purpose": st.sampled_from(["", "style", "fun"]),
    },
)


proofs = st.sampled_from(["", "", "token", "jwt", "unheard of"])


def token(number: int, name: str, *, revoked: bool, admin: bool = False) -> dict[str, Any]:
    """A token that is made, or revoked."""
    summary = {
        "id": f"{number:012x}",
        "name": name,
        "tenant": name,
        "grants": {"*": ["admin"]} if admin else {"acme": ["publish"]},
        "hash": sha256_bytes(bytes([number])).hex,
        "created_at": "2026-01-01T00:00:00.000000Z",
        "created_by": "ann",
        "expires_at": "",
        "revoked": revoked,
        "revoke_reason": "because" if revoked else "",
    }
    return {"type": "token", "reason": "because", "summary": summary}


tokens = st.builds(token, st.integers(0, 2), st.sampled_from(["ci", "bob"]), revoked=st.booleans())


policies = st.builds(
    lambda said: {"type": "policy", "adapter": "acme", "summary": said},
    st.dictionaries(
        st.sampled_from(["require_signature", "private", "require_identity"]),
        st.booleans(),
        min_size=1,
    ),
)


REPORTS = tuple(str(sha256_bytes(name)) for name in (b"report 1", b"report 2"))


def judged(kind: str, place: tuple[AdapterName, str], summary: Any, actor: str) -> dict[str, Any]:
    """Evidence of a release, or a word on it, by somebody."""
    return {**act(kind, place, ""), "summary": summary, "actor": actor}


judgements = st.one_of(
    st.builds(
        lambda place, report, verdict, checks, measured: judged(
            "evidence",
            place,
            {
                "kind": "report",
                "document": report,
                "verdict": verdict,
                "checks": checks,
                **measured,
            },
            "ann",
        ),
        places,
        st.sampled_from(REPORTS),
        st.sampled_from(["Success", "Failed", "Inconclusive"]),
        st.dictionaries(st.sampled_from(CHECKS), st.sampled_from(["clear", "flagged"])),
        st.fixed_dictionaries({}, optional={"measurement": measurements}),
    ),
    st.builds(
        lambda place, decision, report, actor: judged(
            "review", place, {"decision": decision, "evidence": report}, actor
        ),
        places,
        st.sampled_from(["approve", "reject"]),
        st.sampled_from(["", *REPORTS]),
        st.sampled_from(["ann", "bob", "eve"]),
    ),
    st.builds(
        lambda place, pair, choice, report, actor: judged(
            "vote", place, {"pair": pair, "choice": choice, "evidence": report}, actor
        ),
        places,
        st.sampled_from(["p", "q"]),
        st.sampled_from(["candidate", "stable", "tie"]),
        st.sampled_from(REPORTS),
        st.sampled_from(["ann", "bob", "eve"]),
    ),
    st.builds(
        lambda place, name, report: {
            "type": "grid",
            "adapter": place,
            "summary": {"name": name, "document": report},
        },
        st.sampled_from(["acme", "acme/ink"]),
        st.sampled_from(["small", "faces"]),
        st.sampled_from(REPORTS),
    ),
)


gating = st.builds(
    lambda said: {"type": "policy", "adapter": "acme", "summary": {"channels": said}},
    st.dictionaries(st.sampled_from([*CHANNELS, "*"]), st.none() | gates, min_size=1),
)


def canary_step(place: tuple[AdapterName, str], channel: str, said: Any) -> dict[str, Any]:
    """A step of the canary of a release, or of another on its line."""
    return {**act("canary", place, channel), "summary": said}


canary_starts = st.builds(
    lambda place, baseline, channel, shares: canary_step(
        place,
        channel,
        {
            "step": "start",
            "baseline": DIGESTS[place[0], baseline],
            "shares": shares,
            "policy": {"units_max": 3},
            "salt": "s",
        },
    ),
    places,
    st.sampled_from(VERSIONS),
    st.sampled_from(CHANNELS),
    st.sampled_from([[], [0.05], [0.25, 0.5]]),
)


observed_pairs = st.builds(
    lambda unit, difference: {"kind": "pair", "unit": unit, "difference": difference},
    st.sampled_from("abcd"),
    st.sampled_from([-0.5, 0.0, 0.25]),
)


canary_steps = st.builds(
    lambda place, candidate, channel, said: canary_step(
        place, channel, {"candidate": DIGESTS[place[0], candidate], **said}
    ),
    places,
    st.sampled_from(VERSIONS),
    st.sampled_from(CHANNELS),
    st.one_of(
        st.builds(
            lambda rows: {"step": "observe", "observations": rows},
            st.lists(observed_pairs, max_size=3),
        ),
        st.sampled_from([0.05, 0.25, 0.5]).map(lambda share: {"step": "share", "share": share}),
        st.builds(
            lambda verdict, worst: {
                "step": "end",
                "verdict": verdict,
                "figures": {"e_value": 2, "losses": 1, "units": 2, "streams": {}, "worst": worst},
                "said": "because",
            },
            st.sampled_from(["rolled_back", "success", "inconclusive", "stopped"]),
            st.lists(observed_pairs, max_size=2),
        ),
    ),
)


def shown(action: dict[str, Any], proof: str) -> dict[str, Any]:
    """The act of somebody who has shown who they are, perhaps."""
    return {**action, "proof": proof, "on_behalf_of": "bob"} if proof else action


unshown_actions = st.one_of(
    places.map(publication),
    st.builds(lambda place, said: {**act("edit", place, ""), "summary": said}, places, amendments),
    st.builds(act, st.sampled_from(MOVES), places, st.sampled_from(CHANNELS)),
    st.builds(act, st.sampled_from(STANDINGS), places, st.just("")),
    tokens,
    policies,
    judgements,
    gating,
    canary_starts,
    canary_steps,
)


sound_actions = st.builds(shown, unshown_actions, proofs)


summaries = st.one_of(
    st.sampled_from([summarise(manifest) for manifest in MANIFESTS.values()]),
    st.fixed_dictionaries({"digests": st.lists(words | json_values, max_size=3)}),
    st.fixed_dictionaries({"intent": st.integers(0, 5) | json_values}),
    st.fixed_dictionaries({}, optional={"require_signature": json_values, "private": json_values}),
    tokens.map(lambda action: action["summary"]),
    st.fixed_dictionaries({"key": words, "signature": words}),
    st.dictionaries(words, json_values, max_size=4),
)


odd_actions = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS) | json_values,
        "adapter": words | json_values,
        "digest": words | json_values,
        "version": words | json_values,
        "channel": words | json_values,
        "summary": summaries | json_values,
        "actor": words | json_values,
        "proof": proofs | json_values,
        "on_behalf_of": words | json_values,
        "reason": words | json_values,
        "request_id": request_ids | json_values,
        "expect": expectations | json_values,
    },
)


requested_actions = st.builds(
    lambda action, request_id, expect: {**action, "request_id": request_id, "expect": expect},
    sound_actions,
    request_ids,
    st.just({}) | expectations,
)


any_actions = st.one_of(sound_actions, requested_actions, odd_actions, json_values)


def documents(actions: st.SearchStrategy[Any]) -> st.SearchStrategy[list[list[Any]]]:
    """Logs: what each record does."""
    return st.lists(st.lists(actions, max_size=4), max_size=8)


def written(log: Sequence[Sequence[Any]]) -> list[tuple[Record, Digest]]:
    """Write the records of a log to bytes, and read them back."""
    found: list[tuple[Record, Digest]] = []
    head = GENESIS
    for seq, actions in enumerate(log, start=1):
        content = json.dumps(
            {
                "v": RECORD_VERSION_MAX,
                "seq": seq,
                "prev": str(head),
                "id": f"id-{seq}",
                "request_id": "",
                "time": f"2026-01-01T00:00:{seq:02d}.000000Z",
                "actor": "ann",
                "reason": f"reason {seq}",
                "expect": {},
                "actions": list(actions),
            }
        ).encode()
        head = sha256_bytes(content)
        found.append((Record.from_bytes(content, key=f"log/{seq}"), head))
    return found


def folded(log: Sequence[Sequence[Any]]) -> tuple[State, tuple[AppliedRecord, ...]]:
    """Fold a log from its beginning."""
    return fold(EMPTY, written(log))
