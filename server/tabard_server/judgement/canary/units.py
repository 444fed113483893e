# SPDX-License-Identifier: Apache-2.0
"""What is counted once: a prompt with its pictures, a blind vote on it, a complaint.

The same prompt drawn again tells nothing new: twelve prompts counted over and over roll back five
times as many good releases as were allowed.
"""

import hashlib
import math
import unicodedata
from dataclasses import dataclass


def unit_of(prompt: str) -> str:
    """Give the digest that a prompt is counted under.

    Case, width, spacing and characters that nobody sees make no new unit.
    """
    seen = "".join(one for one in prompt if unicodedata.category(one) != "Cf")
    normalised = " ".join(unicodedata.normalize("NFKC", seen).casefold().split())
    return hashlib.sha256(normalised.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One prompt on both releases, with the same seeds on both."""

    unit: str
    """The digest of the normalised prompt, of `unit_of`."""
    difference: float | None
    """Mean score of the candidate's pictures minus that of stable's; none only if one is broken."""
    candidate_is_broken: bool = False
    """Whether any picture of the candidate failed its sanity check."""
    stable_is_broken: bool = False

    def __post_init__(self) -> None:
        """Refuse a pair that was not judged: silence of a scorer is no evidence of health.

        Raises:
            ValueError: If nothing is broken and there is no finite difference.
        """
        if self.difference is None:
            if not (self.candidate_is_broken or self.stable_is_broken):
                raise ValueError("a pair of sound pictures without a score was not judged")
        elif not math.isfinite(self.difference):
            raise ValueError(f"a difference of scores is a finite number, not {self.difference}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's blind choice between the two sides of a pair. A tie is no vote."""

    unit: str
    """The pair that was voted on. Further votes on it are not counted: they agree too easily."""
    is_loss: bool
    """Whether stable was preferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A report of a bad picture, whichever release drew it."""

    unit: str
    """What may complain once: a digest of canary and tenant."""
    is_loss: bool
    """Whether the canary drew the picture."""
    share: float
    """The canary's share of the traffic when the picture was drawn: the chance of a loss if both
    releases are complained about alike."""

    def __post_init__(self) -> None:
        """Refuse a share under which a complaint says nothing.

        Raises:
            ValueError: If the share is not between 0 and 1.
        """
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"a canary's share is between 0 and 1, not {self.share}")
