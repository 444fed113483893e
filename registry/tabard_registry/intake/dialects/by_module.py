# SPDX-License-Identifier: Apache-2.0
"""Groups the tensors of a file into layers, whoever named them, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tabard_registry.grammar import counted
from tabard_registry.intake.dialect import Context, Reading
from tabard_registry.intake.dialects.module_names import Modules
from tabard_registry.intake.files.safetensors import TensorFile
from tabard_registry.intake.methods.dense import FULL_RANK
from tabard_registry.intake.methods.module_tensors import AlphaRule, LayerRefused, ModuleTensors
from tabard_registry.intake.methods.read_module import read_module
from tabard_registry.report import Problem

TELLING = "text width"
"""What a detail says that explains most of the others."""

_REMEDIES = {
    "UNKNOWN_KEYS": "Check which base it was trained for; no layer of this base has the name.",
    "UNKNOWN_SUFFIX": "Export it as a plain LoRA, or in another way that docs/files.md names.",
    "DUPLICATE_TARGET": "Remove one of the two: a layer can be changed once by a file.",
    "INCOMPLETE_PAIR": "Export the file again: the tensors of a layer must be whole and fit.",
    "BAD_SHAPE": "Export the file again: what belongs together must have shapes that fit.",
    "UNSUPPORTED_DTYPE": "Export the file in float16, bfloat16 or float32.",
    "SHAPE_MISMATCH": "Serve it on the base that it was trained on.",
    "NO_BIAS": "Train it without biases (PEFT: `lora_bias` false), or on layers that have one.",
    "RANK_TOO_LARGE": "Resize it to a lower rank with the trainer's own script.",
    "RANK_UNKNOWN": "Write the rank that it was trained with into the header as ss_network_dim, or "
    "leave the alphas out if they are equal to it.",
    "RANK_ZERO": "Check that the right file was saved: its trainer left these layers as they were.",
    "NOT_FINITE": "The training diverged: publish an earlier checkpoint.",
    "BAD_ALPHA": "Export the file again with the alpha that it was trained with.",
    "UNSUPPORTED_DIALECT": "Merge it into its base with its own trainer, and extract a LoRA.",
    "ALPHA_UNKNOWN": "Send adapter_config.json along, or export the file with diffusers or kohya.",
}
_LEADS = {
    "SHAPE_MISMATCH": "this file is for another base or family: ",
    "NO_BIAS": "biases of layers that have none in this base: ",
    "RANK_ZERO": "layers of rank 0, which change nothing: ",
    "DUPLICATE_TARGET": "one layer under two names: ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which tensor of which layer a key names.

    Attributes:
        component: The denoiser, `unet` or `transformer`, or a text encoder.
        module: Module name as the profile has it.
        part: A part of a method, `alpha`, `dora_scale` or `magnitude_vector`.
    """

    component: str
    module: str
    part: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A key that names a layer, and nothing of it that is taken.

    Attributes:
        module: Module name as the profile has it.
        suffix: What stands behind the layer's name.
    """

    module: str
    suffix: str


Placement = Place | Misfit | None
"""Where a key belongs; None when it fits no layer."""


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """Refusals by reason, in the order found."""

    found: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def note(self, reason: str, *, detail: str, key: str) -> None:
        self.found.setdefault(reason, []).append((detail, key))

    def problems(self, *, is_nothing: bool) -> tuple[Problem, ...]:
        """The wrong base explains most other refusals, so it comes first.

        Args:
            is_nothing: Whether the file changes no layer at all.
        """
        ordered = sorted(self.found, key=lambda reason: reason != "SHAPE_MISMATCH")
        return tuple(
            _problem(
                reason,
                self.found[reason],
                is_warning=reason == "RANK_ZERO" and not is_nothing,
            )
            for reason in ordered
        )


def read_modules(
    file: TensorFile,
    *,
    places: Mapping[str, Placement],
    alpha_rule: AlphaRule,
    context: Context,
    is_zero_no_alpha: bool = False,
) -> Reading:
    """Make layers of keys.

    Args:
        file: The file.
        places: Every key of the file, with its place.
        alpha_rule: alpha of a layer without an alpha tensor.
        context: The base and the bounds.
        is_zero_no_alpha: Whether an alpha tensor of zero counts as none.
    """
    ledger = _Ledger()
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for key, place in places.items():
        if place is None:
            ledger.note("UNKNOWN_KEYS", detail=key, key=key)
            continue
        if isinstance(place, Misfit):
            detail = f"{place.suffix[:80]!r} of {place.module}"
            ledger.note("UNKNOWN_SUFFIX", detail=detail, key=key)
            continue
        group = groups.setdefault((place.component, place.module), {})
        if place.part in group:
            ledger.note("DUPLICATE_TARGET", detail=f"{group[place.part]} and {key}", key=key)
        else:
            group[place.part] = key
    readings: list[Reading] = []
    for (component, name), keys in sorted(_with_full_ranks(groups).items()):
        tensors = ModuleTensors(
            file=file,
            component=component,
            name=name,
            keys=keys,
            alpha_rule=alpha_rule,
            context=context,
            is_zero_no_alpha=is_zero_no_alpha,
        )
        try:
            reading = read_module(tensors)
        except LayerRefused as refused:
            ledger.note(refused.reason, detail=refused.detail, key=next(iter(keys.values())))
            continue
        readings.append(reading)
        if not reading.layers and not reading.changes:
            ledger.note("RANK_ZERO", detail=name, key=next(iter(keys.values())))
    return Reading(
        layers=tuple(layer for one in readings for layer in one.layers),
        changes=tuple(change for one in readings for change in one.changes),
        applied=frozenset().union(*(one.applied for one in readings)),
        alphas=frozenset().union(*(one.alphas for one in readings)),
        problems=ledger.problems(is_nothing=not any(x.layers or x.changes for x in readings)),
    )


def misfit_of(key: str, *, modules: Modules) -> Misfit | None:
    """Return the layer that the beginning of a dotted key names, and the rest; None without one."""
    stem = key
    while stem := stem.rpartition(".")[0]:
        if stem in modules:
            return Misfit(module=modules[stem][1], suffix=key.removeprefix(stem))
    return None


def _with_full_ranks(
    groups: Mapping[tuple[str, str], Mapping[str, str]],
) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Take down factors for whole differences where no layer has an up factor.

    A single layer without one has lost it.
    """
    if any("up" in keys for keys in groups.values()):
        return groups
    return {
        target: {FULL_RANK if part == "down" else part: key for part, key in keys.items()}
        for target, keys in groups.items()
    }


def _problem(reason: str, hits: list[tuple[str, str]], *, is_warning: bool) -> Problem:
    hits = sorted(hits, key=lambda hit: TELLING not in hit[0])
    first = "; ".join(detail for detail, _ in hits[:3])
    more = f"; and {len(hits) - 3} more" if len(hits) > 3 else ""
    lead = _LEADS.get(reason, "")
    if reason == "UNKNOWN_KEYS":
        lead = f"{counted(len(hits), 'key', verbs=('fits', 'fit'))} no module of this base: "
    if reason == "UNKNOWN_SUFFIX":
        lead = f"{counted(len(hits), 'key', verbs=('names a layer', 'name layers'))} of this base, "
        lead += f"with {'an ending' if len(hits) == 1 else 'endings'} not taken: "
    return Problem(
        reason=reason,
        message=lead + first + more,
        remedy=_REMEDIES[reason],
        keys=tuple(key for _, key in hits),
        is_warning=is_warning,
    )
