# SPDX-License-Identifier: Apache-2.0
"""The settings of learned encoders: where each lies, and what it looks at. Values only."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tabard_server.limits import VALUES

EncoderFormat = Literal["auto", "clip", "dinov2", "torchscript"]
"""How a model is stored."""
EncoderUse = Literal["style", "subject", "copy"]
"""What an encoder looks at."""


class EncoderSettings(BaseModel):
    """A learned encoder that scores pictures in evaluations."""

    model_config = VALUES

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    """What reports call it: small letters, digits, dots, dashes and underscores."""
    kind: EncoderUse
    """What it looks at: `style`; `subject`, without which no gate is about subjects; or `copy`,
    whether pictures are nearly training pictures."""
    path: Annotated[str, Field(min_length=1)]
    """A folder that `transformers` saved, or a TorchScript file, on this machine; `demo` is the one
    that comes with the demo base."""
    format: EncoderFormat = "auto"
    """What it is: `clip`, `dinov2` or `torchscript`; `auto`: as its files say."""
    device: Literal["cpu", "engine"] = "cpu"
    """Where it is computed, in float32: `cpu`, or `engine`, where the base is, which takes memory
    and time from callers."""
