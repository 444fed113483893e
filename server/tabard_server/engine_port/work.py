# SPDX-License-Identifier: Apache-2.0
"""What one call of the engine takes, by the size of the image: such a call cannot be interrupted.

Measured by the engine as it starts, kept up to date by what it does, weighed by admission and by
the policy. Frozen values; they know neither engines nor limits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tabard_server.engine_port.drawing import Size

GUIDED_SAMPLES = 2
"""Samples of a row with guidance: the most that one takes, unless it has regions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Something that grows with the pixels of an image and with the samples of a call.

    Attributes:
        fixed: What there is without any.
        linear: For each pixel of each sample, as convolutions take it.
        quadratic: For each pair of pixels of one sample, as attention takes it.
    """

    fixed: float = 0.0
    linear: float = 0.0
    quadratic: float = 0.0

    def at(self, size: Size, *, samples: int = 1) -> float:
        """Return the value for a call with so many samples of that size."""
        pixels = math.prod(size)
        return self.fixed + samples * pixels * (self.linear + self.quadratic * pixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds of one kind of call.

    Attributes:
        curve: As measured at the start.
        paces: What calls took lately, as a share of that, by pixels of their images.
    """

    curve: Curve = Curve()
    paces: Mapping[int, float] = field(default_factory=dict)

    def seconds(self, size: Size, *, samples: int = 1) -> float:
        """Return what a call takes; 0.0: nobody knows.

        A size that was not seen lately goes at the pace of the nearest that was.
        """
        expected = self.curve.at(size, samples=samples)
        if not self.paces:
            return expected
        near = min(self.paces, key=lambda pixels: abs(math.log(pixels / math.prod(size))))
        return expected * self.paces[near]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Seconds of everything that holds the engine's thread until it is done.

    Attributes:
        native: The base's own size, which is always drawn.
        step: One denoise step.
        decoding: From a row's latents to its pixels.
        encoding: From a picture to latents.
        text_window_seconds: One window of one prompt in all text encoders.
    """

    native: Size = (1, 1)
    step: Estimate = Estimate()
    decoding: Estimate = Estimate()
    encoding: Estimate = Estimate()
    text_window_seconds: float = 0.0

    def longest_call(self, size: Size, *, samples: int, has_picture: bool) -> float:
        """Return the seconds of the longest call that an image of this size needs."""
        calls = [self.step.seconds(size, samples=samples), self.decoding.seconds(size)]
        if has_picture:
            calls.append(self.encoding.seconds(size))
        return max(calls)

    def bound(self, seconds_max: float) -> float:
        """Return what a call may take: that, or what one image of the base's own size needs."""
        native = self.longest_call(self.native, samples=GUIDED_SAMPLES, has_picture=True)
        return max(seconds_max, native)

    def opening_seconds(self, size: Size, *, windows: int, has_picture: bool) -> float:
        """Return what it takes to begin an image.

        Args:
            size: Of the image.
            windows: Of all its prompts together.
            has_picture: Whether it begins from one.
        """
        picture = self.encoding.seconds(size) if has_picture else 0.0
        return windows * self.text_window_seconds + picture
