# SPDX-License-Identifier: Apache-2.0
"""Has pictures looked at in a thread of its own, each within its time; what is not, is not sent.

In: pixels, from the threads that write images. Out: a verdict, or a failure. A classifier that
stands still costs each picture that waits its time, and the next ones nothing until it is back.
"""

import queue
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from tabard_server.engine_port.drawing import Pixels
from tabard_server.errors import JobFailed
from tabard_server.safety.settings import SafetySettings
from tabard_server.safety.verdict import ScoresNotUsable, Verdict, judge
from tabard_server.telemetry.logs import log_problem
from tabard_server.threads import Daemon

Classify = Callable[[Pixels], Mapping[str, float]]
"""From pixels to scores by label; may raise anything, and may never return."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    pixels: Pixels
    scores: "Future[Mapping[str, float]]" = field(default_factory=Future)


class SafetyCheck:
    """Looks at pictures. Any thread may ask; start it once, and close it last.

    Attributes:
        settings: What counts, and what follows.
        failure: Why the last picture could not be looked at; empty: it could.
    """

    def __init__(
        self,
        classify: Classify,
        *,
        settings: SafetySettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what computes the scores; only the check's own thread calls it."""
        self.settings = settings
        self.failure = ""
        self._classify = classify
        self._clock = clock
        self._begun_at: float | None = None
        # Bounded by the threads that ask: each waits for its answer.
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread = Daemon("tabard-safety", self._work)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Let the thread end once it is free; nobody waits for one that stands still."""
        self._asked.put(None)

    def judge(self, pixels: Pixels) -> Verdict:
        """Say what becomes of a picture.

        Raises:
            JobFailed: It could not be looked at (SAFETY_CHECK_FAILED): it may be sent to nobody.
        """
        begun_at = self._begun_at
        if begun_at is not None and self._clock() - begun_at >= self.settings.seconds_max:
            raise self._failed("the safety classifier stands still")
        asked = _Asked(pixels=pixels)
        self._asked.put(asked)
        try:
            verdict = judge(asked.scores.result(self.settings.seconds_max), settings=self.settings)
        except TimeoutError as error:
            asked.scores.cancel()
            seconds = self.settings.seconds_max
            raise self._failed(f"the safety classifier looked for {seconds:g} s") from error
        except ScoresNotUsable as error:
            raise self._failed("the safety classifier gave no scores") from error
        # A model may raise anything of a picture that it was not made for.
        except Exception as error:
            raise self._failed("the safety classifier failed", error=error) from error
        self.failure = ""
        return verdict

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            if not asked.scores.set_running_or_notify_cancel():
                continue
            self._begun_at = self._clock()
            try:
                scores = self._classify(asked.pixels)
            except Exception as error:
                asked.scores.set_exception(error)
            else:
                asked.scores.set_result(scores)
            self._begun_at = None

    def _failed(self, what: str, *, error: Exception | None = None) -> JobFailed:
        if what != self.failure:
            log_problem("safety.failed", reason="SAFETY_CHECK_FAILED", message=what, error=error)
        self.failure = what
        return JobFailed(
            f"the image could not be checked, and is not sent: {what}",
            reason="SAFETY_CHECK_FAILED",
            hint="tell whoever looks after the server: its log and `tabard status` say more",
        )
