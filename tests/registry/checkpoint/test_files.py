# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import AdapterName, Author, Registry, State, Version
from tabard_registry.checkpoint import Checkpoints, files
from tabard_registry.errors import CorruptRegistry
from tabard_registry.state.fold import fold
from tests.registry.described_logs import (
    KEYS,
    RECIPE,
    logs,
    noted_publication,
    odd_described_actions,
    signature,
)
from tests.registry.fakes import (
    NAME,
    MemoryStore,
    counted_ids,
    fixed_clock,
    promote,
    publish,
    ref,
)
from tests.registry.random_logs import DIGESTS, EMPTY, LINES, act, folded, written

HINT = files.HINT_KEY
INK, OIL = LINES


def kept(state: State, store: MemoryStore | None = None) -> tuple[str, State]:
    """The key of a state's checkpoint, and the state read from it."""
    checkpoints = Checkpoints(store or MemoryStore(), registry_id=state.registry_id)
    key = checkpoints.write(state)
    return key, checkpoints.read(key)


def key_of(state: State) -> str:
    """The name of a state's checkpoint, which follows from its content."""
    return kept(state)[0]


def test_everything_a_release_can_have_is_kept() -> None:
    """Signatures, tokens, members, standings: nothing of it is an exception to the rule."""
    place = (INK, "1.0.0")
    extra = {"tokens": [["<ink>", "text_encoder", 2]], "training": {"seed": "7"}}
    acts = [act(kind, place, "") for kind in ("yank", "quarantine", "purge")]
    state, _ = folded([[KEYS, noted_publication(place, extra), signature(place)], [RECIPE], acts])

    _, read = kept(state)

    [recipe] = read.adapters[AdapterName("acme", "mix")].releases
    [release] = read.adapters[INK].releases
    assert recipe.members and recipe.canonical is None
    assert release.signatures and release.tokens and release.training == {"seed": "7"}
    assert (release.yanked, release.quarantined, release.purged) == (True, True, True)
    assert read == state


@settings(max_examples=150)
@given(logs(odd_described_actions))
def test_lazy_state_equals_the_folded_one(log: list[list[Any]]) -> None:
    """Whatever happened: every field of every release, channel and event is there again."""
    state, _ = folded(log)

    _, read = kept(state)

    for name in (field.name for field in fields(State)):
        assert getattr(read, name) == getattr(state, name), name
    assert list(read.names()) == list(state.names()) == sorted(state.names(), key=str)
    for line, lazy in zip(state.adapters.lines(), read.adapters.lines(), strict=True):
        assert lazy == line
        assert lazy.releases == line.releases
        assert list(lazy.by_digest.values()) == sorted(
            line.by_digest.values(), key=lambda release: (release.seq, release.version)
        )
        assert lazy.events == line.events and line.events == tuple(lazy.events)


@settings(max_examples=150)
@given(logs(odd_described_actions), st.integers(0, 14))
def test_checkpoint_and_tail_are_the_whole_log(log: list[list[Any]], cut: int) -> None:
    """A state read from a checkpoint goes on as the folded one would have, to the byte."""
    records = written(log)
    whole, effects = fold(EMPTY, records)
    half, _ = fold(EMPTY, records[:cut])

    after, tail_effects = fold(kept(half)[1], records[cut:])

    assert after == whole
    assert tail_effects == effects[cut:]
    assert key_of(after) == key_of(whole)


@given(logs(odd_described_actions))
def test_checkpoint_of_a_checkpoint_is_itself(log: list[list[Any]]) -> None:
    """Lines that nobody touched are copied as they are."""
    key, read = kept(folded(log)[0])

    assert key_of(read) == key


@given(logs(odd_described_actions), st.sampled_from(["", "acme/", "acme/ink", "acme/k", "b", "~"]))
def test_names_go_on_from_any_text(log: list[list[Any]], text: str) -> None:
    """Names after a text, whether there is one of it or not."""
    state, _ = folded(log)
    _, read = kept(state)

    assert list(read.adapters.names_from(text)) == [
        name for name in state.names() if str(name) >= text
    ]


@given(logs(odd_described_actions), st.sampled_from(sorted(DIGESTS.values())))
def test_names_with_a_digest_are_found(log: list[list[Any]], digest: str) -> None:
    """Every line that needs a blob is found by it, in a checkpoint and in what came after."""
    records = written(log)
    half, _ = fold(EMPTY, records[: len(records) // 2])
    after, _ = fold(kept(half)[1], records[len(records) // 2 :])
    blob = digest.removeprefix("sha256:")

    found = set(after.adapters.names_with(blob))

    assert found >= {
        line.name
        for line in after.adapters.lines()
        if any(blob in (one.hex for one in release.blobs) for release in line.releases)
    }


def test_absent_things_are_absent() -> None:
    """Names, versions and digests that a lazy line does not have."""
    _, read = kept(folded([[noted_publication((INK, "1.0.0"), {})]])[0])
    line = read.adapters[INK]

    assert OIL not in read.adapters and AdapterName("zz", "z") not in read.adapters
    assert Version.parse("9.9.9") not in line.by_version
    with pytest.raises(KeyError):
        line.by_version[Version.parse("9.9.9")]
    with pytest.raises(KeyError):
        line.by_digest[EMPTY.head]
    assert EMPTY.head not in line.by_digest
    assert list(read.adapters.names_with("f" * 64)) == []


def test_many_lines_are_found_each() -> None:
    """Bisection finds every line of many, and none between them."""
    names = [AdapterName("acme", f"a{number:03d}") for number in range(100)]
    log = [[{**noted_publication((INK, "1.0.0"), {}), "adapter": str(name)}] for name in names]
    _, read = kept(folded(log)[0])

    assert [name for name in names if read.adapters[name].name == name] == names
    assert AdapterName("acme", "a0005") not in read.adapters
    assert read.adapters.get(AdapterName("a", "a")) is None
    assert list(read.names(after="acme/a097")) == names[98:]
    assert len(read.adapters) == 100


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """A registry with a checkpoint in the middle of its log."""
    store = MemoryStore()
    registry = opened(store)
    for version in ("1.0.0", "1.1.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)
    assert registry.checkpoint() == checkpoint_in(store)
    registry.roll_back(NAME, channel="stable", author=Author(actor="ann", reason="too loud"))
    return store


def opened(store: MemoryStore) -> Registry:
    """Open a registry."""
    return Registry.open(store, clock=fixed_clock(), new_id=counted_ids())


def checkpoint_in(store: MemoryStore) -> str:
    """The key of the one checkpoint."""
    [key] = [key for key in store.held if key.startswith(files.CHECKPOINT_PREFIX)]
    return key


def without_checkpoints(store: MemoryStore) -> Registry:
    """The same registry, read from its first record on."""
    bare = MemoryStore()
    bare.held = {k: v for k, v in store.held.items() if not k.startswith("checkpoint/")}
    return opened(bare)


def test_registry_opens_from_its_checkpoint(store: MemoryStore) -> None:
    """Records before the checkpoint are not read."""
    whole = without_checkpoints(store).state
    for seq in range(1, 5):
        del store.held[f"log/{seq:020d}.json"]

    registry = opened(store)

    assert registry.state == whole
    assert registry.records_since_checkpoint == 1
    assert str(registry.state.resolve(ref("stable")).version) == "1.0.0"


def test_two_checkpointers_write_one_file(store: MemoryStore) -> None:
    """One that read the whole log and one that opened a checkpoint agree to the byte."""
    one, other = without_checkpoints(store), opened(store)

    assert one.checkpoint() == other.checkpoint()
    assert one.store.held[one_key(one)] == store.held[one_key(one)]


def one_key(registry: Registry) -> str:
    """The newest checkpoint's key."""
    return registry.checkpoints.keys()[0]


def test_nothing_new_is_not_kept_again(store: MemoryStore) -> None:
    """A checkpoint of the position that has one is not written."""
    registry = opened(store)
    assert registry.checkpoint() is not None

    assert registry.checkpoint() is None


def _renamed(store: MemoryStore, content: bytes) -> None:
    """Put other content there under a name that fits it."""
    key = checkpoint_in(store)
    del store.held[key]
    digest = hashlib.sha256(content).hexdigest()
    store.held[f"{key.partition('-')[0]}-{digest}.json.gz"] = gzip.compress(content)


def _no_gzip(store: MemoryStore) -> None:
    store.held[checkpoint_in(store)] = b"not gzip"


def _truncated(store: MemoryStore) -> None:
    key = checkpoint_in(store)
    store.held[key] = store.held[key][:-20]


def _empty(store: MemoryStore) -> None:
    store.held[checkpoint_in(store)] = b""


def _flipped(store: MemoryStore) -> None:
    key = checkpoint_in(store)
    content = bytearray(store.held[key])
    content[len(content) // 2] ^= 1
    store.held[key] = bytes(content)


def _longer(store: MemoryStore) -> None:
    store.held[checkpoint_in(store)] += b"more"


def _other_content(store: MemoryStore) -> None:
    key = checkpoint_in(store)
    store.held[key] = gzip.compress(gzip.decompress(store.held[key]).replace(b"ann", b"bob"))


def _of_another(registry_id: str, seq: int) -> Callable[[MemoryStore], None]:
    def damage(store: MemoryStore) -> None:
        content = gzip.decompress(store.held[checkpoint_in(store)])
        first, _, rest = content.partition(b"\n")
        place = json.loads(first)
        place = {**place, "registry": registry_id or place["registry"], "seq": seq or place["seq"]}
        _renamed(store, json.dumps(place).encode() + b"\n" + rest)

    return damage


def _newer_protocol(store: MemoryStore) -> None:
    content = gzip.decompress(store.held[checkpoint_in(store)])
    _renamed(store, content.replace(b'"protocol":1', b'"protocol":2', 1))


def _no_lines(store: MemoryStore) -> None:
    _renamed(store, b"{}")


def _deep(store: MemoryStore) -> None:
    _renamed(store, b"[" * 100_000 + b"\n\n")


def _bomb(store: MemoryStore) -> None:
    _renamed(store, bytes(files.CHECKPOINT_BYTES_MAX + 1))


DAMAGES = {
    "no gzip": _no_gzip,
    "truncated": _truncated,
    "empty": _empty,
    "flipped bit": _flipped,
    "longer": _longer,
    "other content": _other_content,
    "another registry": _of_another("another", 0),
    "another position": _of_another("", 2),
    "newer protocol": _newer_protocol,
    "no lines": _no_lines,
    "deep": _deep,
    "bomb": _bomb,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_checkpoint_is_passed_over(
    store: MemoryStore, damage: Callable[[MemoryStore], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read is named, and the log is read instead."""
    monkeypatch.setattr(files, "CHECKPOINT_BYTES_MAX", 1 << 20)
    whole = without_checkpoints(store).state
    damage(store)

    registry = opened(store)

    assert registry.state == whole
    [error] = registry.checkpoints.damaged
    assert isinstance(error, CorruptRegistry) and error.reason == "CORRUPT_CHECKPOINT"
    assert checkpoint_in(store) in str(error) and checkpoint_in(store) in error.hint


def test_older_checkpoint_serves_when_the_newest_is_damaged(store: MemoryStore) -> None:
    """The next one is tried before the whole log is read."""
    older = checkpoint_in(store)
    newest = opened(store).checkpoint()
    assert newest is not None
    store.held[newest] = zlib.compress(b"no")

    registry = opened(store)

    assert [newest in str(error) for error in registry.checkpoints.damaged] == [True]
    assert registry.records_since_checkpoint == 1
    assert registry.checkpoints.keys() == [newest, older]


@pytest.mark.parametrize(
    "hint",
    [
        None,
        b"",
        b"[]",
        b"{",
        b'{"checkpoint": 7}',
        b'{"checkpoint": "../../etc/passwd"}',
        json.dumps({"checkpoint": f"checkpoint/{9:020d}-{'a' * 64}.json.gz"}).encode(),
        b" " * 10_000,
    ],
    ids=["missing", "empty", "list", "half", "number", "path", "nobody's", "long"],
)
def test_wrong_hint_costs_a_listing(store: MemoryStore, hint: bytes | None) -> None:
    """The hint is advice: without it the newest checkpoint is found all the same."""
    if hint is None:
        del store.held[HINT]
    else:
        store.held[HINT] = hint

    registry = opened(store)

    assert registry.records_since_checkpoint == 1
    assert registry.checkpoints.damaged == ()


def test_hint_of_an_older_one_is_good_enough(store: MemoryStore) -> None:
    """Somebody else's late hint does not hide records: the log is read from there."""
    late = store.held[HINT]
    opened(store).checkpoint()
    store.held[HINT] = late

    assert opened(store).state == without_checkpoints(store).state
