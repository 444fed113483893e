# SPDX-License-Identifier: Apache-2.0
"""A walk as numbers: what every step of a sampler makes of what is there.

In: one of diffusers' schedulers, ready for its steps. Out: its table, if it is linear. The table
is found by driving the scheduler with unit vectors, so that whatever diffusers computes is what
stands in it. Knows nothing of rows, guidance or devices.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from tabard_server.engine.sampling.noising import make_noisy, shown

LINEAR = frozenset(
    {
        "DDIMScheduler",
        "PNDMScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "HeunDiscreteScheduler",
        "LMSDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler",
        "UniPCMultistepScheduler",
        "LCMScheduler",
        "TCDScheduler",
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "FlowMatchLCMScheduler",
    }
)
"""Schedulers whose steps are sums of what is there, each times a number of the schedule."""
_BENDS = ("clip_sample", "thresholding")
"""Config entries that look at values, so that a step is no sum any more."""
_ROUNDED, _WIDENED = "FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"
"""Schedulers that draw noise in float32, whatever the latents; and in float32 or wider."""
TABLES_MAX = 256
"""Tables that are kept: one for each sampler, number of steps, and way in which these lie."""
_KEPT_MAX = 8
"""Values that a sampler may keep from one step to the next."""
_PREDICTION, _NOISE = 1 + _KEPT_MAX, 2 + _KEPT_MAX
_COLUMNS = 3 + _KEPT_MAX


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScheduleTable:
    """The steps of one walk, as matrices. On the CPU; shared by all rows that walk so.

    Value 0 is the latents; the others are what the sampler keeps for later steps, zero at first.

    Attributes:
        coefficients: `[steps, values, values + 2]`, float64: of each value after a step, how much
            of every value before it, of the prediction, and of the noise.
        timesteps: `[steps]`, float32: what the model is told.
        input_scales: `[steps + 1]`, float64: the model is shown latents times this; behind the
            last step the last one again.
        kept: `[steps, 2]`, float64: what a mask keeps is, after a step, so much of the picture and
            so much of the first noise. Without a mask nobody looks at it.
        noise_dtypes: In which dtype each step draws noise of the latents' shape from the generator
            of its row; None: it draws none.
    """

    coefficients: torch.Tensor
    timesteps: torch.Tensor
    input_scales: torch.Tensor
    kept: torch.Tensor
    noise_dtypes: tuple[torch.dtype | None, ...]

    @property
    def steps(self) -> int:
        """Steps from noise to image."""
        return len(self.timesteps)

    @property
    def values(self) -> int:
        """Values that a row has between steps: the latents, and what the sampler keeps."""
        return int(self.coefficients.shape[1])


def is_linear(scheduler: Any) -> bool:
    """Say whether every step is a sum of what is there, each times a number of the schedule."""
    bends = any(scheduler.config.get(entry) for entry in _BENDS)
    return type(scheduler).__name__ in LINEAR and not bends


def make_table(
    scheduler: Any,
    *,
    timesteps: torch.Tensor,
    step_options: Mapping[str, Any],
    dtype: torch.dtype,
    has_kept_part: bool,
) -> ScheduleTable:
    """Walk a linear scheduler to its end with unit vectors, and note what comes of each.

    Args:
        scheduler: Ready for its first step; it is used up.
        timesteps: Those that are left, in its own dtype.
        step_options: What its `step` is told; nothing is drawn from a generator among it.
        dtype: Of the latents that will be walked.
        has_kept_part: Whether to note how noisy a kept part is after each step.
    """
    driven = _Driven(scheduler, step_options=step_options, dtype=dtype)
    with torch.inference_mode(), driven:
        for number, timestep in enumerate(timesteps):
            driven.step(timestep)
            if has_kept_part:
                driven.note_kept(timesteps[number + 1 : number + 2])
    return driven.table(timesteps)


class Tables:
    """Tables of schedules that were walked, the ones asked for last kept. One thread asks."""

    def __init__(self) -> None:
        self._tables: OrderedDict[Hashable, ScheduleTable] = OrderedDict()

    def of(self, key: Hashable, *, make: Callable[[], ScheduleTable]) -> ScheduleTable:
        """Return the table of a key, made if it is not there."""
        if key not in self._tables:
            self._tables[key] = make()
            if len(self._tables) > TABLES_MAX:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return self._tables[key]


class _Driven(TorchFunctionMode):
    """A scheduler that is shown unit vectors, in float64 throughout.

    While it is entered, what is drawn as noise is a unit vector too, and nothing is rounded to
    float32 on the way: schedulers do that to be exact in half precision.
    """

    def __init__(
        self, scheduler: Any, *, step_options: Mapping[str, Any], dtype: torch.dtype
    ) -> None:
        super().__init__()
        self._scheduler, self._options = scheduler, step_options
        self._own_dtype = _noise_dtype(scheduler, dtype=dtype)
        self._drawn: list[torch.dtype] = []
        self._noise_dtypes: list[torch.dtype | None] = []
        self._kept: list[list[float]] = []
        self._scales: list[float] = []
        self._steps: list[torch.Tensor] = []
        if hasattr(scheduler, "get_lms_coefficient"):
            # Thousands of scalar operations that see no vector.
            scheduler.get_lms_coefficient = _unwatched(scheduler.get_lms_coefficient)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if function is torch.randn:
            asked: torch.dtype = named["dtype"]
            self._drawn.append(self._own_dtype if asked == torch.float64 else asked)
            return _unit(_NOISE)
        told = (*args[1:], *named.values())
        is_rounding = function is torch.Tensor.to and any(one is torch.float32 for one in told)
        if is_rounding and _is_vector(args[0]):
            return args[0]
        return function(*args, **named)

    def step(self, timestep: torch.Tensor) -> None:
        """Take one step from unit vectors."""
        scheduler, latents = self._scheduler, _unit(0)
        self._scales.append(float(shown(scheduler, latents, timestep)[0, 0, 0, 0]))
        for number, (holder, key) in enumerate(_vectors_of(scheduler)):
            holder[key] = _unit(1 + number)
        self._drawn.clear()
        found = scheduler.step(
            _unit(_PREDICTION), timestep, latents, return_dict=False, **self._options
        )[0]
        assert len(self._drawn) <= 1, "a step draws noise once"
        self._noise_dtypes.append(self._drawn[0] if self._drawn else None)
        kept = [holder[key] for holder, key in _vectors_of(scheduler)]
        assert len(kept) <= _KEPT_MAX, "a sampler keeps a few values"
        self._steps.append(torch.cat([found, *kept]).view(-1, _COLUMNS))

    def note_kept(self, next_timestep: torch.Tensor) -> None:
        """Note of what a kept part is made after the step that was taken last."""
        if not len(next_timestep):
            self._kept.append([1.0, 0.0])
            return
        noise = _unit(_NOISE)
        made = make_noisy(self._scheduler, _unit(0), noise=noise, timestep=next_timestep)[
            0, :, 0, 0
        ]
        self._kept.append([float(made[0]), float(made[_NOISE])])

    def table(self, timesteps: torch.Tensor) -> ScheduleTable:
        """Return all that was noted."""
        values = max(len(step) for step in self._steps)
        coefficients = torch.zeros(len(self._steps), values, values + 2, dtype=torch.float64)
        for number, step in enumerate(self._steps):
            coefficients[number, : len(step), :values] = step[:, :values]
            coefficients[number, : len(step), values:] = step[:, _PREDICTION:]
        kept = self._kept or [[0.0, 0.0]] * len(self._steps)
        return ScheduleTable(
            coefficients=coefficients,
            timesteps=timesteps.to("cpu", torch.float32),
            input_scales=torch.tensor([*self._scales, self._scales[-1]], dtype=torch.float64),
            kept=torch.tensor(kept, dtype=torch.float64),
            noise_dtypes=tuple(self._noise_dtypes),
        )


def _noise_dtype(scheduler: Any, *, dtype: torch.dtype) -> torch.dtype:
    """Return in what a scheduler draws that draws as its latents are, which it may round first."""
    kind = type(scheduler).__name__
    if kind == _ROUNDED:
        return torch.float32
    return torch.promote_types(torch.float32, dtype) if kind == _WIDENED else dtype


def _unwatched(function: Callable[..., float]) -> Callable[..., float]:
    def call(*args: Any, **named: Any) -> float:
        with torch._C.DisableTorchFunction():
            return function(*args, **named)

    return call


def _unit(column: int) -> torch.Tensor:
    """Return latents whose channels are a unit vector, in memory of their own."""
    found = torch.zeros(1, _COLUMNS, 1, 1, dtype=torch.float64)
    found[0, column] = 1.0
    return found


def _is_vector(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.dtype == torch.float64
        and value.shape == (1, _COLUMNS, 1, 1)
    )


def _vectors_of(scheduler: Any) -> Iterator[tuple[Any, Any]]:
    """Give where a scheduler keeps what it was shown: in attributes, or in lists of them."""
    for name, value in vars(scheduler).items():
        if _is_vector(value):
            yield vars(scheduler), name
        elif isinstance(value, list):
            yield from ((value, at) for at, one in enumerate(value) if _is_vector(one))
