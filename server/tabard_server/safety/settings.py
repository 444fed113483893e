# SPDX-License-Identifier: Apache-2.0
"""The settings of the safety classifier: where it lies, what counts, what follows. Values only."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, PositiveFloat, model_validator

from tabard_server.errors import BadSettings
from tabard_server.limits import VALUES

Policy = Literal["flag", "blur", "withhold"]
"""What follows where a label counts."""


class SafetyLabel(BaseModel):
    """A label of the classifier that counts."""

    model_config = VALUES

    label: Annotated[str, Field(min_length=1)]
    """Its name, as the model's `config.json` has it."""
    threshold: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """The score from which on it counts."""


class SafetySettings(BaseModel):
    """A classifier that looks at every picture before its caller is sent it; unsaid, none does."""

    model_config = VALUES

    path: str = ""
    """A folder that `transformers` saved of a model for image classification, on this machine;
    empty: nothing is looked at."""
    labels: Annotated[tuple[SafetyLabel, ...], Field(strict=False)] = ()
    """What counts: tables with `label`, and maybe `threshold` (0.5). Of a variable it is JSON."""
    policy: Policy = "withhold"
    """What follows: `flag` says it in the provenance; `blur` sends the picture blurred beyond
    recognition, and says so; `withhold` sends none (`IMAGE_WITHHELD`). With the last two nobody is
    sent previews."""
    seconds_max: PositiveFloat = 30.0
    """How long one picture may be looked at; beyond it the picture is withheld
    (`SAFETY_CHECK_FAILED`)."""

    @property
    def is_on(self) -> bool:
        """Whether pictures are looked at."""
        return bool(self.path)

    @property
    def hides_previews(self) -> bool:
        """Whether previews would show what may be blurred or withheld."""
        return self.is_on and self.policy != "flag"

    @property
    def folder(self) -> Path:
        """Where the model is."""
        return Path(self.path).expanduser()

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if self.is_on and not self.labels:
            raise BadSettings(
                "safety.path names a classifier, and safety.labels no label of it that counts",
                names=("safety.labels", "safety.path"),
                hint='say which: [[safety.labels]] with label = "nsfw"',
            )
        if self.labels and not self.is_on:
            raise BadSettings(
                "safety.labels says what counts, and safety.path names no classifier",
                names=("safety.path", "safety.labels"),
                hint="say where the model lies, or leave out safety.labels",
            )
        for label, count in Counter(one.label for one in self.labels).items():
            if count > 1:
                raise BadSettings(
                    f"safety.labels has {label!r} {count} times",
                    names=("safety.labels",),
                    hint="write one table of it",
                )
        return self
