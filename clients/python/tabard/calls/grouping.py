# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder make one adapter: by the names that trainers give them, never by guess.

File names in, those that belong together out; the same for a folder here and a repository of a
hub. What is ambiguous is refused, and the candidates are named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tabard.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one writer lays out a folder.

    Attributes:
        what: What people call it.
        first: Names of the file that must be there; the first that is there is taken.
        others: Files that belong to it when they are there.
    """

    what: str
    first: tuple[str, ...]
    others: tuple[str, ...] = ()

    def found_in(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the files of this layout among names, the first one first; none if it is not."""
        first = next((name for name in self.first if name in names), None)
        others = (name for name in self.others if name in names)
        return (first, *others) if first is not None else ()


LAYOUTS = (
    Layout(
        what="a PEFT adapter",
        first=("adapter_model.safetensors", "adapter_model.bin"),
        others=("adapter_config.json",),
    ),
    Layout(
        what="a LoRA of diffusers",
        first=("pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin"),
    ),
    Layout(
        what="a Textual Inversion of diffusers",
        first=("learned_embeds.safetensors",),
        others=("learned_embeds_2.safetensors",),
    ),
    Layout(
        what="a Textual Inversion of diffusers",
        first=("learned_embeds.bin",),
        others=("learned_embeds_2.bin",),
    ),
)
"""Every layout that is known; a safetensors file is taken before a pickle of the same."""
SAFE_SUFFIXES = (".safetensors",)
PICKLE_SUFFIXES = (".pt", ".bin", ".pth", ".ckpt")
SUFFIXES = (*SAFE_SUFFIXES, *PICKLE_SUFFIXES)
"""What files of adapters are called; what they are is decided by their content."""

_TRAINER_STATE = re.compile(
    r"(?:optimizer|scheduler|sampler|scaler|random_states|rng_state|training_args|dl_state_dict"
    r"|custom_checkpoint)(?:_\d+)?\.(?:bin|pt|pth|pkl|safetensors)|.*_optim_states\.pt"
)
_PIPELINE = "model_index.json"
_NAMED_MAX = 8


def is_trainer_state(name: str) -> bool:
    """Whether a file is what a trainer goes on from, by the name it gives it; never an adapter."""
    return _TRAINER_STATE.fullmatch(name) is not None


def choose_files(names: Collection[str], *, where: str) -> tuple[str, ...]:
    """Return the names of the files that make the one adapter of a folder.

    Args:
        names: The files right in the folder.
        where: What the folder is called, for people.

    Raises:
        InvalidArgument: There is no adapter, or more than one (AMBIGUOUS_FOLDER).
    """
    if _PIPELINE in names:
        raise InvalidArgument(
            f"{where} is a whole pipeline, not an adapter",
            reason="NOT_AN_ADAPTER",
            hint="publish the adapter's own file; a fine-tuned model has to be extracted first",
        )
    state = sorted(filter(is_trainer_state, names))
    names = [name for name in names if name not in state]
    found = _known(names)
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise _ambiguous(where, [files[0] for files in found])
    for suffixes in (SAFE_SUFFIXES, PICKLE_SUFFIXES):
        alone = sorted(name for name in names if PurePosixPath(name).suffix.lower() in suffixes)
        if len(alone) == 1:
            return (alone[0],)
        if alone:
            raise _ambiguous(where, alone)
    if state:
        raise InvalidArgument(
            f"{where} holds what a trainer goes on from ({_shown(state)}), and no adapter",
            reason="NOT_AN_ADAPTER",
            hint="publish the file that the trainer saved beside it, often named by its step",
        )
    raise InvalidArgument(
        f"there is no adapter in {where}",
        reason="NOT_AN_ADAPTER",
        hint=f"name the file; known names end in {', '.join(SUFFIXES)}",
    )


def _known(names: Collection[str]) -> list[tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for layout in LAYOUTS:
        if files := layout.found_in(names):
            found.setdefault(layout.what, files)
    return list(found.values())


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more


def _ambiguous(where: str, names: Sequence[str]) -> InvalidArgument:
    return InvalidArgument(
        f"{where} holds several adapters: {_shown(names)}",
        reason="AMBIGUOUS_FOLDER",
        hint="name the one file to publish, or import all of them with tabard import",
    )
