# SPDX-License-Identifier: Apache-2.0
"""Mistakes that others made, and that the players must see.

Those of the engine work on the server's thread only, so that the judge keeps to the rules.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from tabard_registry import AdapterRef, RegistryError, State
from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.adapters.host_memory import Lease
from tabard_server.engine import row, row_text
from tabard_server.engine.sampling.sampler_prototypes import SamplerPrototypes
from tabard_server.engine.slots import binding
from tabard_server.engine.slots import slot_table as slots
from tabard_server.engine.slots.slot_table import Slot, SlotTable
from tabard_server.engine_port.port import EnginePort
from tabard_server.engine_port.row_spec import RowSpec
from tabard_server.generation import Generation
from tabard_server.jobs.job import Worn
from tabard_server.jobs.run import JobRun
from tabard_server.loop.roster import Roster
from tabard_server.scheduler.snapshot import RowKey, Snapshot
from tests.mutants import Mutant

ENGINE_THREAD = "tabard-engine"


def _served(mistake: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    def choose(*args: Any, **options: Any) -> Any:
        is_served = threading.current_thread().name == ENGINE_THREAD
        return (mistake if is_served else real)(*args, **options)

    return choose


def _slot_of_its_size(table: SlotTable, adapter: HostAdapter, *, kept: frozenset[str]) -> Slot:
    sizes = {len(slot.rows): slot for slot in table._slots.values()}
    found = sizes.get(adapter.rank_rows)
    if adapter.digest in table._slots or found is None:
        return _LEASE(table, adapter, kept=kept)
    found.leases += 1
    return found


def _merged_and_unmerged(table: SlotTable, adapter: HostAdapter, *, kept: frozenset[str]) -> Slot:
    slot = _FILL(table, adapter, kept=kept)
    for key, packed in adapter.layers.items():
        weight: Any = table._layers[key].weight.data
        delta = (packed.up.T @ packed.down).view(weight.shape)
        weight.add_(delta).sub_(delta)
    return slot


def _leave_as_it_is(layers: Any, *, rows: tuple[int, ...]) -> None:
    return


def _key_without_weights(spec: Any, *, part: int) -> tuple[Any, ...]:
    worn = tuple((adapter, 1.0) for adapter, _ in spec.stack)
    return _TEXT_KEY(replace(spec, stack=worn), part=part)


def _key_of_the_first_part(spec: Any, *, part: int) -> tuple[Any, ...]:
    del part
    return _TEXT_KEY(spec, part=0)


def _everywhere(weight: Any, *, region: str) -> bool:
    del weight, region
    return True


def _as_at_the_first_step(weight: Any, *, steps: int, blocks: Any) -> Any:
    return [_BY_STEP(weight, steps=steps, blocks=blocks)[0]] * steps


def _one_generator(prototypes: SamplerPrototypes, name: str, *, generator: torch.Generator) -> Any:
    generators = _GENERATORS.setdefault(id(prototypes), [generator])
    return _OPTIONS(prototypes, name, generator=generators[0])


def _padded_with_neighbours(row: list[Any], size: int) -> list[Any]:
    # Whatever these rank rows hold, it is multiplied by a weight of zero.
    is_ranks = bool(row) and all(isinstance(one, int) for one in row)
    return [*row, *[1 if is_ranks else 0] * (size - len(row))]


def _line_up_and_remember(generation: Generation, run: JobRun) -> None:
    _STATES[0] = lambda: generation._registry.state
    _LINE_UP(generation, run)


def _hold_and_remember(run: JobRun, lease: Lease) -> None:
    _HOLD(run, lease)
    adapters: Any = lease.adapters
    _SEEN.update((adapter.digest, adapter) for adapter in adapters)


def _spec_of_now(roster: Roster[Any], key: RowKey) -> RowSpec:
    spec = _SPEC(roster, key)
    now = [_digest_now(worn) for worn in roster.run(key).job.worn]
    stack = zip(now, spec.stack, strict=True)
    return replace(spec, stack=tuple((_SEEN.get(d, adapter), w) for d, (adapter, w) in stack))


def _digest_now(worn: Worn) -> str:
    if worn.recipe is not None:
        return worn.digest
    try:
        return str(_STATES[0]().resolve(AdapterRef.parse(worn.ref)).digest)
    except RegistryError:
        return worn.digest


def _crowded(roster: Roster[Any], engine: EnginePort[Any]) -> Snapshot:
    snapshot = _SNAPSHOT(roster, engine)
    return replace(
        snapshot,
        waiting=tuple(replace(row, is_solo=False) for row in snapshot.waiting),
        running=tuple(replace(row, is_solo=False) for row in snapshot.running),
    )


def _let_go(generation: Generation, run: JobRun) -> None:
    return


_LEASE, _FILL = SlotTable._lease, SlotTable._fill
_EMPTY, _TEXT_KEY = slots.empty_layers, row_text.text_key
_BY_STEP = row.weights_by_step
_OPTIONS, _PADDED = SamplerPrototypes.step_options, binding._padded
_LINE_UP, _HOLD = Generation._line_up, JobRun.hold
_SPEC, _SNAPSHOT = Roster.spec, Roster.snapshot
_GENERATORS: dict[int, list[torch.Generator]] = {}
_SEEN: dict[str, HostAdapter] = {}
_STATES: list[Callable[[], State]] = [State]

MUTANTS: Mapping[str, Mutant] = {
    "any-slot-of-its-size": Mutant(
        says="a slot of the right size is the right slot",
        damage="from the image alone",
        patches=((SlotTable, "_lease", _served(_slot_of_its_size, _LEASE)),),
    ),
    "freed-rows-stay": Mutant(
        says="whoever takes these rank rows next writes over what was there",
        damage="from the image alone",
        patches=((slots, "empty_layers", _served(_leave_as_it_is, _EMPTY)),),
    ),
    "text-key-without-weights": Mutant(
        says="equal prompts in equal adapters are equal texts",
        damage="from the image alone",
        patches=((row_text, "text_key", _served(_key_without_weights, _TEXT_KEY)),),
    ),
    "worn-as-at-the-first-step": Mutant(
        says="what a row wears at its first step it wears to its last",
        damage="from the image alone",
        patches=((row, "weights_by_step", _served(_as_at_the_first_step, _BY_STEP)),),
    ),
    "worn-in-every-region": Mutant(
        says="what is worn in one region may as well be worn in all",
        damage="from the image alone",
        patches=((row, "is_worn_in", _served(_everywhere, row.is_worn_in)),),
    ),
    "text-of-the-first-region": Mutant(
        says="a row has one text, whatever its regions wear",
        damage="from the image alone",
        patches=((row_text, "text_key", _served(_key_of_the_first_part, _TEXT_KEY)),),
    ),
    "one-generator-for-all": Mutant(
        says="noise is noise, whoever draws it",
        damage="from the image alone",
        patches=((SamplerPrototypes, "step_options", _served(_one_generator, _OPTIONS)),),
    ),
    "padded-with-neighbours": Mutant(
        says="what is multiplied by zero is zero",
        damage="failed with ROW_NOT_FINITE",
        patches=((binding, "_padded", _served(_padded_with_neighbours, _PADDED)),),
    ),
    "resolved-again": Mutant(
        says="a ref means what it means when its row begins",
        damage="from the image alone",
        patches=(
            (Generation, "_line_up", _line_up_and_remember),
            (JobRun, "hold", _hold_and_remember),
            (Roster, "spec", _spec_of_now),
        ),
    ),
    "merged-and-subtracted": Mutant(
        says="what was added to a weight can be subtracted again",
        damage="parameters of the base",
        patches=((SlotTable, "_fill", _served(_merged_and_unmerged, _FILL)),),
    ),
    "never-alone": Mutant(
        says="a row is the same row in any batch, to the bit",
        damage="from the image alone",
        patches=((Roster, "snapshot", _crowded),),
    ),
    "the-gone-are-forgotten": Mutant(
        says="a caller who has gone needs no end",
        damage="are left when all is quiet",
        patches=((Generation, "_abandon", _let_go),),
    ),
}
"""The mutants by name."""
