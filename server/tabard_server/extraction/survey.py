# SPDX-License-Identifier: Apache-2.0
"""The walk over all parameters: what differs is put into the file, or said not to be carried.

In: a loaded base and an open tuned model. Out: tensors in an adapter file, and what was found. At
no time is more than one difference in memory. Draws no pictures.
"""

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from tabard_registry import BaseProfile
from tabard_registry.intake.profile import DENOISERS
from tabard_registry.release import change_methods
from tabard_server.engine.base.loading import Base
from tabard_server.extraction.adapter_file import AdapterFile
from tabard_server.extraction.decomposition import decompose, energy
from tabard_server.extraction.difference import difference_of, match_names
from tabard_server.extraction.outcome import LayerOutcome, LeftOut, lost_length
from tabard_server.extraction.parameters import (
    WHOLE_FORMS,
    Parameter,
    parameters_of,
    vae_parameters_of,
)
from tabard_server.extraction.settings import ExtractionSettings
from tabard_server.extraction.tuned_model import TunedModel

OnProgress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""

_BLOCK = re.compile(r"(?:down|up|(?:single_)?transformer)_blocks\.\d+|mid_block")


@dataclass(slots=True, kw_only=True)
class Survey:
    """What was found so far.

    Attributes:
        layers: Carried parameters.
        left_out: Differing parameters that are not carried.
        unused: Names of the tuned model that the base does not have.
        unchanged_count: Parameters equal to the base's.
        rounded_count: Parameters that differ by rounding only.
        base_energies: Squared length of each component of the base but the VAE.
    """

    layers: list[LayerOutcome] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    unchanged_count: int = 0
    rounded_count: int = 0
    base_energies: dict[str, float] = field(default_factory=dict)

    @property
    def relative_change(self) -> float:
        """Length of the whole difference, as a share of the base; without the VAE's."""
        whole = sum(self.base_energies.values())
        return math.sqrt(sum(self._changed_energies.values()) / whole) if whole else 0.0

    @property
    def relative_changes(self) -> Mapping[str, float]:
        """The same of each component by itself."""
        changed = self._changed_energies
        return {
            component: math.sqrt(changed[component] / own)
            for component, own in self.base_energies.items()
            if own
        }

    @property
    def _changed_energies(self) -> dict[str, float]:
        changed = dict.fromkeys(self.base_energies, 0.0)
        everything: tuple[LayerOutcome | LeftOut, ...] = (*self.layers, *self.left_out)
        for one in everything:
            if one.component in changed:
                changed[one.component] += one.energy
        return changed


def survey(
    base: Base,
    tuned: TunedModel,
    *,
    profile: BaseProfile,
    settings: ExtractionSettings,
    file: AdapterFile,
    progress: OnProgress,
) -> Survey:
    """Compare every parameter, and write what an adapter can carry.

    Raises:
        TunedModelMismatch: The tuned model lacks a parameter, or has one of another shape.
        TunedModelNotFinite: It holds NaN or infinity.
    """
    found = Survey(unused=list(tuned.unused))
    parameters = [*parameters_of(base, profile=profile), *vae_parameters_of(base)]
    shapes: dict[str, dict[str, torch.Size]] = {}
    for one in parameters:
        shapes.setdefault(one.component, {})[one.plain] = one.weight.shape
    for component, known in shapes.items():
        tensors = tuned.components[component]
        others = match_names(known, found=tensors, component=component)
        found.unused += [f"{component}.{name}" for name in others]
    total = len(parameters)
    for done, one in enumerate(parameters):
        progress("comparing", done, total)
        _take(one, found, tuned=tuned, settings=settings, file=file)
    progress("comparing", total, total)
    return found


def block_of(component: str, parameter: str) -> str:
    """Return the block that a parameter is counted under."""
    if component not in DENOISERS:
        return component
    known = _BLOCK.match(parameter)
    return known[0] if known else f"{component} ends"


def _take(
    parameter: Parameter,
    found: Survey,
    *,
    tuned: TunedModel,
    settings: ExtractionSettings,
    file: AdapterFile,
) -> None:
    is_vae = parameter.component == "vae"
    own_energy = energy(parameter.weight)
    if not is_vae:
        energies = found.base_energies
        energies[parameter.component] = energies.get(parameter.component, 0.0) + own_energy
    difference = difference_of(
        f"{parameter.component}.{parameter.name}",
        base=parameter.weight,
        found=tuned.components[parameter.component][parameter.plain],
    )
    if difference is None:
        found.unchanged_count += 1
    elif difference.is_rounding and (is_vae or not settings.is_exact):
        found.rounded_count += 1
    elif why := _why_left_out(parameter, settings=settings):
        found.left_out.append(
            _left_out(parameter, difference.values, why=why, own_energy=own_energy)
        )
    else:
        found.layers.append(
            _write(
                parameter, difference.values, own_energy=own_energy, settings=settings, file=file
            )
        )


def _why_left_out(parameter: Parameter, *, settings: ExtractionSettings) -> str:
    if parameter.component == "vae":
        return "vae"
    if parameter.role == "embedding":
        return "embedding"
    if parameter.role not in WHOLE_FORMS:
        return "unknown_kind"
    return "low_rank_only" if settings.is_low_rank_only and parameter.role != "matrix" else ""


def _write(
    parameter: Parameter,
    values: torch.Tensor,
    *,
    own_energy: float,
    settings: ExtractionSettings,
    file: AdapterFile,
) -> LayerOutcome:
    form, rank, kept = WHOLE_FORMS[parameter.role], 0, 1.0
    changed = energy(values)
    if parameter.role == "matrix" and not settings.is_exact:
        matrix = values.flatten(1).to(settings.device)
        pair = decompose(
            matrix, ranks=settings.ranks, seed=_seed(parameter, start=settings.seed), total=changed
        )
        form, rank, kept = change_methods.LORA.name, pair.rank, pair.kept_energy
        _write_pair(parameter, down=pair.down, up=pair.up, file=file)
    else:
        file.add(f"{parameter.stem}.{form}", values)
    return LayerOutcome(
        component=parameter.component,
        parameter=parameter.name,
        block=block_of(parameter.component, parameter.name),
        form=form,
        rank=rank,
        energy=changed,
        kept_energy=kept,
        relative_error=lost_length(kept),
        relative_change=_share(changed, own_energy),
    )


def _write_pair(
    parameter: Parameter, *, down: torch.Tensor, up: torch.Tensor, file: AdapterFile
) -> None:
    """Write a pair as kohya and LyCORIS do: kernels in `down`, alpha of the rank's size."""
    rank = down.shape[0]
    kernel = parameter.weight.shape[2:]
    file.add(f"{parameter.stem}.alpha", torch.tensor(float(rank)))
    file.add(
        f"{parameter.stem}.lora_down.weight", down.reshape(rank, parameter.weight.shape[1], *kernel)
    )
    file.add(f"{parameter.stem}.lora_up.weight", up.reshape(*up.shape, *(1 for _ in kernel)))


def _left_out(
    parameter: Parameter, values: torch.Tensor, *, why: str, own_energy: float
) -> LeftOut:
    return LeftOut(
        component=parameter.component,
        parameter=parameter.name,
        block=block_of(parameter.component, parameter.name),
        why=why,
        energy=energy(values),
        relative_change=_share(energy(values), own_energy),
    )


def _share(changed: float, own: float) -> float | None:
    """Return a length as a share of another, from their squares; None of nothing."""
    return math.sqrt(changed / own) if own else None


def _seed(parameter: Parameter, *, start: int) -> int:
    """Give every layer a seed of its own, whatever stands before it."""
    name = f"{start}:{parameter.component}.{parameter.name}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "little")


def names_of(left_out: Sequence[LeftOut], *, at_most: int = 3) -> str:
    """Name the first few parameters that are not carried."""
    names = [f"{one.component}.{one.parameter}" for one in left_out[:at_most]]
    return ", ".join(names) + (", …" if len(left_out) > at_most else "")
