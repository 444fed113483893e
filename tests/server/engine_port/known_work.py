# SPDX-License-Identifier: Apache-2.0
"""What calls take on an engine whose cost is known: about the demo base on one busy core."""

from tabard_server.engine_port.drawing import Size
from tabard_server.engine_port.work import Curve, Estimate, Work

SMALL: Size = (64, 64)
"""The base's own size: 0.03 s a step."""
LARGE: Size = (256, 256)
"""A step of 1.3 s for a guided image."""
HUGE: Size = (384, 384)
"""A step of 5.6 s for a guided image."""
WORK = Work(
    native=SMALL,
    step=Estimate(curve=Curve(fixed=0.013, linear=1.6e-6, quadratic=1.2e-10)),
    decoding=Estimate(curve=Curve(linear=2e-6, quadratic=2e-11)),
    encoding=Estimate(curve=Curve(linear=1e-6, quadratic=2e-11)),
    text_window_seconds=0.001,
)
