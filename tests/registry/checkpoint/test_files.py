# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import Author, Registry
from tabard_registry.checkpoint import files
from tabard_registry.checkpoint.header import CHECKPOINT_PROTOCOL
from tabard_registry.errors import CorruptRegistry
from tabard_registry.state.fold import fold
from tests.registry.checkpoint.kept_states import kept, key_of
from tests.registry.described_logs import logs, odd_described_actions
from tests.registry.fakes import NAME, MemoryStore, counted_ids, fixed_clock, promote, publish, ref
from tests.registry.random_logs import EMPTY, written

HINT = files.HINT_KEY


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
    _other_protocol(store, CHECKPOINT_PROTOCOL + 1)


def _older_protocol(store: MemoryStore) -> None:
    _other_protocol(store, CHECKPOINT_PROTOCOL - 1)


def _other_protocol(store: MemoryStore, protocol: int) -> None:
    content = gzip.decompress(store.held[checkpoint_in(store)])
    mine, other = (f'"protocol":{number}'.encode() for number in (CHECKPOINT_PROTOCOL, protocol))
    assert mine in content
    _renamed(store, content.replace(mine, other, 1))


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
    "older protocol": _older_protocol,
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
