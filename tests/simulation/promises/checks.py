# SPDX-License-Identifier: Apache-2.0
"""The promises of the registry, checked when a history is quiet. Each check yields what is wrong.

What callers were told, what processes saw and what newcomers find is held against the chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from tabard_registry import Registry
from tabard_registry.checkpoint import Checkpoints
from tabard_registry.errors import RegistryError
from tabard_registry.state.state import State
from tabard_registry.store.store import FORMAT_KEY
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.inventory import read_blob_key
from tests.simulation.bad_store.bucket import Bucket
from tests.simulation.bad_store.fault_rates import CALM
from tests.simulation.process import World
from tests.simulation.promises.chain import Chain, broken_slots, read_chain
from tests.simulation.promises.ledger import Intent
from tests.simulation.promises.plain_state import to_plain
from tests.simulation.wishes import TALLY

FSCK_RATE = 0.2
"""How many histories are examined by fsck as well, which has to find nothing new."""

Answer = TypeVar("Answer")


def check_world(world: World) -> list[str]:
    """Return everything that is wrong with a history that is over."""
    complaints = [*world.bucket.crimes, *world.ledger.complaints]
    if FORMAT_KEY not in world.bucket.objects:
        acknowledged = [i.label for i in world.ledger.intents if i.acknowledged]
        return complaints + [f"there is no registry, but {label}" for label in acknowledged]
    complaints += broken_slots(world.bucket.objects)
    if complaints:
        return complaints
    chain = read_chain(world.bucket.objects)
    for check in (_doubled, _lost, _unwanted, _unexpected, _forked, _ill_kept, _ill_opened):
        complaints += check(world, chain)
    return complaints


def _doubled(world: World, chain: Chain) -> Iterator[str]:
    ids = Counter(record.record.id for record in chain.applied)
    actions = [action for record in chain.applied for action in record.record.actions]
    labels = Counter(action.reason for action in actions if action.reason)
    requests = Counter(action.request_id for action in actions if action.request_id)
    for what, counts in (("record", ids), ("act", labels), ("request", requests)):
        yield from (f"{what} {name!r} is there {n} times" for name, n in counts.items() if n > 1)


def _lost(world: World, chain: Chain) -> Iterator[str]:
    for intent in world.ledger.intents:
        if len(set(intent.acknowledged)) > 1:
            yield f"{intent.label} was acknowledged at {intent.acknowledged}"
        for seq in intent.acknowledged:
            if seq <= intent.floor:
                yield f"{intent.label} went to {seq} when {intent.floor} had been acknowledged"
            found = chain.applied[seq - 1] if seq <= len(chain.applied) else None
            effects = zip(found.record.actions, found.effects, strict=True) if found else ()
            if not any(a.reason == intent.label and e.effective for a, e in effects):
                yield f"{intent.label} was acknowledged at {seq}, and is not done there"


def _unwanted(world: World, chain: Chain) -> Iterator[str]:
    there = {action.reason for record in chain.applied for action in record.record.actions}
    for intent in world.ledger.intents:
        if not (intent.acknowledged or intent.is_uncertain) and intent.label in there:
            yield f"{intent.label} is there, although its caller was told that it is not"


def _unexpected(world: World, chain: Chain) -> Iterator[str]:
    for intent in world.ledger.intents:
        for seq in set(intent.acknowledged).intersection(range(1, len(chain.applied) + 1)):
            for key, wanted in intent.expect.items():
                found = _pointer_before(intent, chain, seq=seq, key=key)
                if found != wanted:
                    yield f"{intent.label} expected {key} at {wanted}, and it was at {found}"


def _pointer_before(intent: Intent, chain: Chain, *, seq: int, key: str) -> str | None:
    """Where a channel pointed after the record before, and the earlier acts of the same record."""
    name, _, channel = key.rpartition("@")
    line = next((a for n, a in chain.states[seq - 1].adapters.items() if str(n) == name), None)
    pointer = line.channels.get(channel) if line else None
    found = str(pointer.digest) if pointer else None
    applied = chain.applied[seq - 1]
    for action, effect in zip(applied.record.actions, applied.effects, strict=True):
        if action.reason == intent.label:
            break
        if effect.effective and (action.adapter, action.channel) == (name, channel):
            found = action.digest
    return found


def _forked(world: World, chain: Chain) -> Iterator[str]:
    last_of: dict[str, State] = {}
    for sighting in world.ledger.sightings:
        state = sighting.state
        if state.seq >= len(chain.states):
            yield f"{sighting.owner} saw record {state.seq} of {len(chain.applied)}"
        elif state.head != chain.states[state.seq].head:
            yield f"{sighting.owner} saw another record {state.seq}"
        else:
            last_of[sighting.owner] = state
    for owner, state in last_of.items():
        if to_plain(state) != to_plain(chain.states[state.seq]):
            yield f"{owner} saw another state at record {state.seq}"


def _ill_kept(world: World, chain: Chain) -> Iterator[str]:
    scratch = Bucket(lambda: 0.0)
    store = world.store("scratch", rates=CALM, bucket=scratch)
    checkpoints = Checkpoints(store, registry_id=chain.states[0].registry_id)
    for key in sorted(k for k in world.bucket.objects if k.startswith("checkpoint/")):
        seq = int(key.removeprefix("checkpoint/")[:20])
        if seq >= len(chain.states):
            yield f"{key} is of a record that is not there"
            continue
        wanted = _run(world, partial(checkpoints.write, chain.states[seq]))
        if key != wanted:
            yield f"{key} is there, and the log makes {wanted}"
        if world.bucket.objects[key] != scratch.objects[wanted] and key not in world.rotten:
            yield f"{key} has other bytes than another checkpointer writes"


def _ill_opened(world: World, chain: Chain) -> Iterator[str]:
    newcomer = _run(world, lambda: world.open("newcomer", rates=CALM))
    if to_plain(newcomer.state) != to_plain(chain.states[-1]):
        yield "a newcomer sees another state"
    if list(_run(world, lambda: newcomer.since(0))) != chain.applied:
        yield "a newcomer is told another history"
    yield from _run(world, lambda: list(_spoilt(newcomer)))
    if world.rng.random() < FSCK_RATE:
        yield from _unsound(world, newcomer)


def _unsound(world: World, newcomer: Registry) -> Iterator[str]:
    report = _run(world, lambda: check_registry(newcomer, deep=True, workers=1))
    for finding in report.findings:
        if finding.severity == "error" and not _is_excused(world, newcomer.state, finding.key):
            yield f"fsck: {finding.key}: {finding.problem}"


def _is_excused(world: World, state: State, key: str) -> bool:
    """Whether fsck is right: damage done on purpose, a purge cut short, or the tally's blobs."""
    named = read_blob_key(key)
    if named is None:
        return key in world.rotten
    line = state.adapters.get(TALLY)
    tally = {digest for release in (line.releases if line else ()) for digest in release.blobs}
    return named[0] in tally or str(named[0]) in state.denied


def _spoilt(registry: Registry) -> Iterator[str]:
    for name, line in registry.state.adapters.items():
        for release in line.releases if name != TALLY else ():
            if release.purged:
                continue
            try:
                manifest = registry.manifest(release.digest)
                for blob in manifest.original:
                    registry.blobs.read(blob.sha256, bytes_max=blob.bytes)
            except RegistryError as error:
                yield f"{release}: {error}"


def _run(world: World, ask: Callable[[], Answer]) -> Answer:
    answers: list[Answer] = []
    world.scheduler.spawn(lambda: answers.append(ask()))
    world.scheduler.run()
    return answers[0]
