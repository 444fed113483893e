# SPDX-License-Identifier: Apache-2.0
"""What a soak came to: figures, and everything that is not as it must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.soak.stage import Show

RSS_RATIO_MAX = 1.02
DESCRIPTORS_MORE_MAX = 8
"""Connections come and go: a handful more or fewer is no leak."""
WARM_UP = 0.25
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds of what came to a good end."""

    count: int
    median: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        """Sum up; all zero when there is nothing."""
        ordered = sorted(seconds) or [0.0]

        def at(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return cls(count=len(seconds), median=at(0.5), p99=at(0.99), most=ordered[-1])


def figures(show: Show) -> Iterator[str]:
    """Tell what was seen, a line each."""
    yield f"{show.seconds:.0f} s"
    for name, notes in {"light, alone": None, **show.notes}.items():
        seen = Latency.of(show.quiet if notes is None else notes.seconds)
        refused = "" if notes is None else ", ".join(f"{r} {n}" for r, n in notes.reasons.items())
        yield (
            f"  {name:<16} {seen.count:6d} done, median {seen.median:.3f} s, p99 {seen.p99:.3f} s, "
            f"most {seen.most:.3f} s; refused: {refused or 'none'}"
        )
    rss = show.watch.change_of("rss_bytes", warm_up=WARM_UP)
    held = show.watch.change_of("descriptors", warm_up=WARM_UP)
    threads = show.watch.change_of("threads", warm_up=WARM_UP)
    yield (
        f"  memory {rss.before / _MEBIBYTE:.1f} to {rss.after / _MEBIBYTE:.1f} MiB "
        f"({rss.ratio - 1:+.2%}), descriptors {held.before:.0f} to {held.after:.0f}, "
        f"threads {threads.before:.0f} to {threads.after:.0f}"
    )


def faults(show: Show, *, p99_seconds_max: float) -> Iterator[str]:
    """Tell everything that is not as it must be."""
    light = show.notes["light"]
    if light.wrong:
        yield f"{len(light.wrong)} wrong images, first {light.wrong[0]}"
    if not light.seconds:
        yield "no light caller got an image"
    if (p99 := Latency.of(light.seconds).p99) > p99_seconds_max:
        yield f"light callers' p99 is {p99:.1f} s, above {p99_seconds_max:g}"
    for name, notes in show.notes.items():
        if untyped := [reason for reason in notes.reasons if not reason or reason == "INTERNAL"]:
            yield f"{name}: {sum(notes.reasons[one] for one in untyped)} failures without a reason"
    if not show.is_alive:
        yield "the server died"
    if show.exit_status != 0:
        yield f"it ended with {show.exit_status} when it was asked to stop"
    rss = show.watch.change_of("rss_bytes", warm_up=WARM_UP)
    if rss.ratio > RSS_RATIO_MAX:
        yield f"memory grew by {rss.ratio - 1:.1%}"
    held = show.watch.change_of("descriptors", warm_up=WARM_UP)
    if held.after > held.before + DESCRIPTORS_MORE_MAX:
        yield f"descriptors grew from {held.before:.0f} to {held.after:.0f}"
