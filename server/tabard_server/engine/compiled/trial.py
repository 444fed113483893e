# SPDX-License-Identifier: Apache-2.0
"""Which of two ways a kind of pass is sooner: a library is worn where it is, and not elsewhere.

In: seconds of passes as they come. Out: which way the next one goes. Both take turns for a few
passes, which somebody waits for anyway; nothing is drawn for the trial.
"""

from dataclasses import dataclass, field

TRIES = 3
"""Passes each way; the least counts, for whatever else runs only adds."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """One kind of pass.

    Attributes:
        compiled: Seconds for each sample, of the passes in the library.
        eager: The same without it.
    """

    compiled: list[float] = field(default_factory=list)
    eager: list[float] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Say whether both were seen often enough."""
        return min(len(self.compiled), len(self.eager)) >= TRIES

    @property
    def takes_library(self) -> bool:
        """Say whether the next pass is the library's."""
        if self.is_over:
            return min(self.compiled) <= min(self.eager)
        return len(self.compiled) <= len(self.eager)

    def note(self, seconds: float, *, samples: int, is_compiled: bool) -> None:
        """Take what a pass took; nothing once it is over."""
        if not self.is_over:
            (self.compiled if is_compiled else self.eager).append(seconds / samples)
