# SPDX-License-Identifier: Apache-2.0
"""What a caller chooses for an extraction, with the bounds of each choice. Knows no tensors."""

import math
from dataclasses import dataclass, field

from tabard_server.extraction.errors import SettingInvalid

RANK = 32
"""Rank of every layer unless the caller says otherwise."""
RANK_MAX = 128
"""Largest rank that an energy may ask for, unless the caller says otherwise."""
RANK_BOUND = 512
"""Largest rank that the intake takes."""
IMAGE_ERROR_MAX = 0.5
"""How far pictures may stay from the tuned model's, as a share of how far the base's are."""
PROMPTS = (
    "a red circle on a white background",
    "a portrait photo of a person, soft light",
)
STEPS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRule:
    """How many ranks a layer gets.

    Attributes:
        rank: As many for every layer; None: as the energy says.
        energy: Share of a layer's squared difference that is kept; None: as the rank says.
        rank_max: Most that an energy may ask for.
    """

    rank: int | None = None
    energy: float | None = None
    rank_max: int = RANK_MAX

    def __post_init__(self) -> None:
        if self.rank is not None and self.energy is not None:
            raise SettingInvalid("a rank and an energy are both given", hint="give one of them")
        if self.rank is None and self.energy is None:
            object.__setattr__(self, "rank", RANK)
        for name in ("rank", "rank_max"):
            found = getattr(self, name)
            if found is not None and not 1 <= found <= RANK_BOUND:
                raise SettingInvalid(
                    f"{name} {found} is not possible", hint=f"give 1 to {RANK_BOUND}"
                )
        if self.energy is not None and not 0 < self.energy <= 1:
            raise SettingInvalid(
                f"an energy of {self.energy} is not possible", hint="give a share above 0, up to 1"
            )

    @property
    def limit(self) -> int:
        """The largest rank that any layer can get."""
        return self.rank_max if self.rank is None else self.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonSettings:
    """The pictures that are compared.

    Attributes:
        prompts: One picture each; the word that the tuned model was trained for belongs in one.
        steps: Denoise steps.
        seed: Seed of the first picture; the next ones count up.
        guidance_scale: Classifier-free guidance.
        pixels: Width and height; None: what the base was trained at.
    """

    prompts: tuple[str, ...] = PROMPTS
    steps: int = 8
    seed: int = 0
    guidance_scale: float = 5.0
    pixels: int | None = None

    def __post_init__(self) -> None:
        if not self.prompts or not all(self.prompts):
            raise SettingInvalid("a probe prompt is empty", hint="give one prompt or more")
        if not 1 <= self.steps <= STEPS_MAX:
            raise SettingInvalid(
                f"{self.steps} probe steps are not possible", hint=f"give 1 to {STEPS_MAX}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionSettings:
    """How a tuned model becomes an adapter.

    Attributes:
        ranks: Ranks of the layers.
        is_exact: Keep every difference whole; the ranks mean nothing then.
        is_low_rank_only: Leave out norms and biases, so that the adapter fits into slots.
        seed: Seed of the random sketches.
        image_error_max: Share of the way from the base's pictures to the tuned model's that may be
            missing; above it the adapter is refused.
        comparison: The pictures that are compared; None: none are.
        device: Where is computed: `cpu` or `cuda`.
    """

    ranks: RankRule = field(default_factory=RankRule)
    is_exact: bool = False
    is_low_rank_only: bool = False
    seed: int = 0
    image_error_max: float = IMAGE_ERROR_MAX
    comparison: ComparisonSettings | None = field(default_factory=ComparisonSettings)
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.is_exact and self.is_low_rank_only:
            raise SettingInvalid(
                "an exact adapter is not low-rank", hint="give --exact or --low-rank-only"
            )
        if not (math.isfinite(self.image_error_max) and self.image_error_max >= 0):
            raise SettingInvalid(
                f"an image error of {self.image_error_max} is not possible",
                hint="give 0 or more: 0 is the checkpoint, 1 the base without an adapter",
            )
