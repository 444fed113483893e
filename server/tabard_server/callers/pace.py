# SPDX-License-Identifier: Apache-2.0
"""How long a caller may keep a stream waiting: never long at once, and never for ever in all.

In: how long each message was waited for, and its bytes. Out: the seconds left for the next one.
Waits for nothing itself.
"""


class Pace:
    """The pace of one direction of one stream."""

    def __init__(
        self,
        *,
        idle_seconds_max: float,
        bytes_per_second_min: float,
        message_bytes_min: int = 0,
    ) -> None:
        """Take the longest wait for one message, and the slowest rate of all of them together.

        Args:
            idle_seconds_max: The longest wait for one message.
            bytes_per_second_min: The slowest rate of all of them together.
            message_bytes_min: What a message counts as at least: the time that many little ones
                take is the server's own.
        """
        self._idle_seconds_max = idle_seconds_max
        self._bytes_per_second_min = bytes_per_second_min
        self._message_bytes_min = message_bytes_min
        self._waited_seconds = 0.0
        self._bytes = 0

    @property
    def seconds_left(self) -> float:
        """How long the next message may be waited for.

        Whoever sends little bits, each just in time, is over when all waiting together is longer
        than what came would have needed at the slowest rate.
        """
        needed = self._bytes / self._bytes_per_second_min
        in_all = self._idle_seconds_max + needed - self._waited_seconds
        return max(0.0, min(self._idle_seconds_max, in_all))

    def note(self, *, waited_seconds: float, size_bytes: int) -> None:
        """Note a message: how long it was waited for, and how large it was."""
        self._waited_seconds += waited_seconds
        self._bytes += max(size_bytes, self._message_bytes_min)
