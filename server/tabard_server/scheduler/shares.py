# SPDX-License-Identifier: Apache-2.0
"""Who had how much of the engine's time: sizes share it evenly, however long their steps are.

In: the seconds of each step. Out: how far each size is ahead of the one that was served last. This
is start-time fair queueing: who comes anew begins where the others stand, so nobody saves time up,
and nobody waits for longer than one step of each other size before his own turn.
"""

from tabard_server.engine_port.drawing import Size


class Shares:
    """Time by size. One thread."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until: dict[Size, float] = {}

    def note(self, size: Size, *, seconds: float) -> None:
        """Note a step; what it begins at is what all others are compared with."""
        self._now = max(self._now, self._until.get(size, 0.0))
        self._until[size] = self._now + seconds
        self._until = {one: until for one, until in self._until.items() if until > self._now}

    def ahead(self) -> dict[Size, float]:
        """Return the seconds that sizes are ahead; one that is not named is not."""
        return {size: until - self._now for size, until in self._until.items()}
