# SPDX-License-Identifier: Apache-2.0
"""What a score is: figures with intervals, or the reason why there are none."""

from dataclasses import dataclass
from enum import StrEnum

from tabard_server.judgement.scores.intervals import Interval


class Unchecked(StrEnum):
    """Why something was not checked. It is never taken for a pass."""

    TOO_FEW_REFERENCES = "too_few_references"
    """Fewer than four: they could not be compared among themselves."""
    NOT_SEEN = "not_seen"
    """The encoder cannot tell the references from the base's pictures."""
    PROMPTS_NOT_SEEN = "prompts_not_seen"
    """The encoder cannot tell the base's pictures of one prompt from those of another."""
    TOO_FEW_TRAINING_PICTURES = "too_few_training_pictures"
    ONE_SEED = "one_seed"
    """Seeds can be compared only where there are two."""
    SEEDS_NOT_SEEN = "seeds_not_seen"
    """The base draws the same whatever the seed: nothing can be measured in such distances."""
    ENCODER_CHANGED = "encoder_changed"
    """There are only embeddings of another encoder to compare with."""


_WORDS = {
    Unchecked.TOO_FEW_REFERENCES: "there are fewer than four references",
    Unchecked.NOT_SEEN: "the encoder cannot tell the references from the base's pictures",
    Unchecked.PROMPTS_NOT_SEEN: "the encoder cannot tell the base's pictures of one prompt from "
    "another's",
    Unchecked.TOO_FEW_TRAINING_PICTURES: "there are fewer than four training pictures",
    Unchecked.ONE_SEED: "seeds can be compared only where there are two",
    Unchecked.SEEDS_NOT_SEEN: "the base draws the same whatever the seed",
    Unchecked.ENCODER_CHANGED: "what was published are embeddings of another encoder",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotChecked:
    """A score that was not taken."""

    reason: Unchecked

    @property
    def words(self) -> str:
        """The reason, as people read it."""
        return _WORDS[self.reason]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A figure of a grid."""

    interval: Interval
    paired: Interval | None = None
    """Candidate minus stable on the same prompts and seeds; none for a first release."""
    prompts: tuple[Interval, ...] = ()
    """Of each prompt, in the order of the grid."""


Result = Score | NotChecked
