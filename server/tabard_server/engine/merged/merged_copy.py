# SPDX-License-Identifier: Apache-2.0
"""One merged copy of those parameters of the base that a stack changes.

In: models, and stacks of host adapters. Out: a block in which the models' parameters point into the
copy. The base's own tensors are never written: outside of the block they are where they always
were. Buffers keep their addresses from one stack to the next. One thread. Knows nothing of rows,
slots or when merging pays. See docs/decisions/0013.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from tabard_registry.intake.profile import DENOISERS
from tabard_server.adapters.host_adapter import (
    HostAdapter,
    adapters_of,
    seen_in,
)
from tabard_server.engine.base.files.scales import FLOAT8
from tabard_server.engine.base.names import classic_name
from tabard_server.engine.layer_fit import check_widths, no_such_layer
from tabard_server.engine.merged.folding import Contribution, first_not_finite, fold_into
from tabard_server.engine_port.errors import AdapterMismatch, MergedTooLarge
from tabard_server.engine_port.stack import Stack, StackKey, stack_key
from tabard_server.engine_port.weights.blocks import Blocks
from tabard_server.engine_port.weights.strength import Strength, Weight, is_steady, weight_of_part


@dataclass(slots=True, kw_only=True, eq=False)
class _Target:
    """One parameter of the base, and its place in the copy.

    Attributes:
        name: Component and name, for messages.
        pristine: The base's own parameter.
        dtype: What its copy is in.
        places: Where modules look for it: several if it is shared.
        buffer: Its place in the copy; None until a stack changes it.
        is_changed: Whether the buffer may hold anything but the pristine bytes.
    """

    name: str
    pristine: nn.Parameter
    dtype: torch.dtype
    places: list[tuple[dict[str, nn.Parameter | None], str]]
    buffer: nn.Parameter | None = None
    is_changed: bool = False


class MergedWeights:
    """A merged copy of at most `bytes_max` bytes, of one stack at a time.

    Attributes:
        worn: `stack_key` of the stack that is merged; None before the first and after a failure.
        layout: Counts how often the set of buffers changed: a captured graph is good for one.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        *,
        device: torch.device,
        bytes_max: int | None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Look at the parameters of models by component; nothing is allocated before a merge.

        Args:
            models: Models on the device, in the dtype that they are served in.
            device: Where they lie.
            bytes_max: Limit of all buffers together; None: as much as the base has.
            dtype: What the copy of a parameter is in that is kept in eight bits: there what a
                stack adds would be rounded away.
        """
        self._device = device
        self._bytes_max = bytes_max
        self._targets = {
            name: _targets_of(model, name, wide=dtype) for name, model in models.items()
        }
        self._blocks = Blocks(
            name for component in DENOISERS for name in self._targets.get(component, ({},))[0]
        )
        self._is_worn = False
        self.worn: StackKey | None = None
        self.layout = 0

    @property
    def bytes(self) -> int:
        """Bytes of all buffers."""
        return sum(_size(target) for target in self._buffered())

    def merge(self, stack: Stack) -> None:
        """Fill the copy with the pristine base and this stack; nothing if it holds it already.

        After an error nothing is merged, the base is bare, and another stack can be.

        Raises:
            AdapterMismatch: An adapter does not fit the base, or makes it NaN or infinite.
            MergedTooLarge: The stack changes more parameters than the copy may hold.
        """
        assert not self._is_worn, "a copy that is worn cannot be merged anew"
        key = stack_key(stack)
        if key == self.worn:
            return
        self.worn = None
        plan = self._plan(stack)
        self._make_room(plan)
        # Whoever calls may be in inference mode; compiled models then could not use the buffers.
        with torch.inference_mode(mode=False), torch.no_grad():
            self._restore([target for target in self._buffered() if target not in plan])
            self._fill(plan, key=key)
        self.worn = key

    @contextmanager
    def wearing(self, *components: str) -> Iterator[None]:
        """Let these components' parameters be those of the copy, for the length of a block."""
        assert self.worn is not None, "nothing is merged"
        assert not self._is_worn, "the copy is worn already"
        worn = [t for name in components for t in self._targets[name][1] if t.buffer is not None]
        self._is_worn = True
        try:
            for target in worn:
                for parameters, name in target.places:
                    parameters[name] = target.buffer
            yield
        finally:
            for target in worn:
                for parameters, name in target.places:
                    parameters[name] = target.pristine
            self._is_worn = False

    def _plan(self, stack: Stack) -> dict[_Target, list[Contribution]]:
        """Return what each adapter does to each parameter, in the order of the stack.

        What it does to other components is for their own copies.
        """
        plan: dict[_Target, list[Contribution]] = {}
        for adapter, (_, weight) in zip(adapters_of(stack), stack, strict=True):
            if not is_steady(weight):
                raise _not_steady(adapter)
            own: dict[_Target, Contribution] = {}
            there = self._on_device(adapter)
            for key, layer in there.layers.items():
                if key[0] not in self._targets:
                    continue
                target = self._find(adapter, key[0], f"{key[1]}.weight")
                check_widths(layer, weight=target.pristine, key=key, digest=adapter.digest)
                self._contribution(own, target, key, weight=weight).layers.append(layer)
            for change in there.changes:
                if change.component not in self._targets:
                    continue
                target = self._find(adapter, change.component, change.parameter)
                key = change.component, change.parameter
                self._contribution(own, target, key, weight=weight).changes.append(change)
            for target, contribution in own.items():
                if contribution.weight or not isinstance(weight, Strength):
                    plan.setdefault(target, []).append(contribution)
        return plan

    def _contribution(
        self,
        own: dict[_Target, Contribution],
        target: _Target,
        key: tuple[str, str],
        *,
        weight: Weight,
    ) -> Contribution:
        """Return what one adapter does to a parameter, begun with its weight there."""
        if target not in own:
            component, name = key
            there = weight_of_part(
                weight,
                component=component,
                block=self._blocks.index_of(name),
                blocks=self._blocks,
            )
            own[target] = Contribution(weight=there)
        return own[target]

    def _on_device(self, adapter: HostAdapter) -> HostAdapter:
        """Copy a slab of factors at once; large changes follow one by one, each in its turn."""
        slab = adapter.slab
        if slab is None or adapter.is_merged_only or slab.device == self._device:
            return adapter
        return seen_in(adapter, slab.to(self._device, non_blocking=True))

    def _find(self, adapter: HostAdapter, component: str, name: str) -> _Target:
        by_name, _ = self._targets.get(component, ({}, []))
        if name not in by_name:
            raise no_such_layer(adapter.digest, component, name)
        return by_name[name]

    def _make_room(self, plan: Mapping[_Target, object]) -> None:
        """Drop buffers that the stack does not need while the limit would be passed."""
        if self._bytes_max is None:
            return
        total = sum(map(_size, plan))
        if total > self._bytes_max:
            raise MergedTooLarge(
                f"the stack changes {total} bytes of the base; the merged copy may have "
                f"{self._bytes_max}",
                hint="wear fewer such adapters at once, or serve with a larger merged copy",
            )
        idle = [target for target in self._buffered() if target not in plan]
        total += sum(map(_size, idle))
        for target in idle:
            if total <= self._bytes_max:
                return
            total -= _size(target)
            target.buffer, target.is_changed = None, False
            self.layout += 1

    def _restore(self, targets: Sequence[_Target]) -> None:
        for target in targets:
            if target.is_changed and target.buffer is not None:
                target.buffer.copy_(target.pristine)
                target.is_changed = False

    def _fill(self, plan: Mapping[_Target, Sequence[Contribution]], *, key: StackKey) -> None:
        buffers, sums = [], []
        for target, contributions in plan.items():
            if target.buffer is None:
                target.buffer = _new_buffer(target, device=self._device)
                self.layout += 1
            target.is_changed = True
            buffers.append(target.buffer)
            sums.append(
                fold_into(target.buffer, pristine=target.pristine, contributions=contributions)
            )
        bad = first_not_finite(buffers, sums=sums)
        if bad >= 0:
            raise AdapterMismatch(
                f"{', '.join(digest for digest, _ in key)} makes {list(plan)[bad].name} NaN or "
                "infinite",
                hint="lower the weights of the adapters, or wear them on the base they were "
                "trained on",
            )

    def _buffered(self) -> Iterator[_Target]:
        for _, targets in self._targets.values():
            yield from (target for target in targets if target.buffer is not None)


def _not_steady(adapter: HostAdapter) -> AdapterMismatch:
    return AdapterMismatch(
        f"{adapter.digest} is not worn at every step and everywhere; a merged copy wears one thing",
        hint="leave out its window, its points and its region",
    )


def _targets_of(
    model: nn.Module, component: str, *, wide: torch.dtype | None
) -> tuple[Mapping[str, _Target], Sequence[_Target]]:
    """Return a model's parameters by every name they have, and each once."""
    by_name: dict[str, _Target] = {}
    by_parameter: dict[int, _Target] = {}
    for module_name, module in model.named_modules(remove_duplicate=False):
        for own, parameter in module._parameters.items():
            if parameter is None:
                continue
            name = f"{classic_name(module_name, component)}.{own}"
            target = by_parameter.setdefault(
                id(parameter), _new_target(f"{component}:{name}", parameter, wide=wide)
            )
            by_name[name] = target
            place = (module._parameters, own)
            if not any(place[0] is found and own == key for found, key in target.places):
                target.places.append(place)
    return by_name, list(by_parameter.values())


def _new_target(name: str, parameter: nn.Parameter, *, wide: torch.dtype | None) -> _Target:
    is_wider = wide is not None and parameter.dtype in FLOAT8
    dtype = wide if is_wider and wide is not None else parameter.dtype
    return _Target(name=name, pristine=parameter, dtype=dtype, places=[])


def _new_buffer(target: _Target, *, device: torch.device) -> nn.Parameter:
    """Return memory of the parameter's shape and layout."""
    empty = torch.empty_like(target.pristine, dtype=target.dtype, device=device)
    return nn.Parameter(empty, requires_grad=False)


def _size(target: _Target) -> int:
    return target.pristine.numel() * target.dtype.itemsize
