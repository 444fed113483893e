# SPDX-License-Identifier: Apache-2.0
"""Requests for images as A1111's clients send them, read into what the SDK is asked."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tabard import FieldViolation, GenerateOptions, InvalidArgument
from tabard_web.a1111 import inert
from tabard_web.a1111.samplers import read_sampler
from tabard_web.options import options_of
from tabard_web.texts import Text

Size = Annotated[int | None, Field(ge=0)]


class Txt2Img(BaseModel):
    """What an image shall be. What is left out is as the server has it, not as A1111 has it.

    Attributes:
        prompt: What to draw; `<lora:acme/ink:0.8>`, or `<lora:ink:0.8>` where that name is unique.
        negative_prompt: What to keep away from.
        seed: Image i uses `seed + i`; -1: drawn by the server.
        steps: Denoise steps.
        cfg_scale: Classifier-free guidance.
        width: Pixels.
        height: Pixels.
        batch_size: How many images, times `n_iter`.
        n_iter: How many times.
        sampler_name: A1111's spelling, or Tabard's.
        sampler_index: The same, where there is no `sampler_name`.
        scheduler: `Automatic`, or a schedule in A1111's spelling or Tabard's.
        eta: With DDIM and TCD; otherwise A1111's own value for the sampler.
        override_settings: What holds for this request only.
        override_settings_restore_afterwards: It cannot hold for longer.
        send_images: Whether the answer has images.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    prompt: Text = ""
    negative_prompt: Text = ""
    seed: Annotated[int, Field(ge=-1)] = -1
    steps: Size = None
    cfg_scale: float | None = None
    width: Size = None
    height: Size = None
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 1
    n_iter: Annotated[int, Field(ge=1, le=4096)] = 1
    sampler_name: Text = ""
    sampler_index: Text = ""
    scheduler: Text = ""
    eta: float | None = None
    override_settings: dict[str, Any] = {}
    override_settings_restore_afterwards: bool = True
    send_images: bool = True

    @model_validator(mode="before")
    @classmethod
    def _without_inert(cls, said: Any) -> Any:
        return cls._heard(said) if isinstance(said, dict) else said

    @classmethod
    def _heard(cls, said: dict[str, Any]) -> dict[str, Any]:
        return inert.without_inert(said, inert=inert.TXT2IMG)

    @model_validator(mode="after")
    def _with_sampler(self) -> Txt2Img:
        read_sampler(self.sampler_name or self.sampler_index, self.scheduler, self.eta)
        return self

    @property
    def count(self) -> int:
        """How many images."""
        return self.batch_size * self.n_iter

    @property
    def options(self) -> GenerateOptions:
        """What the SDK is asked, but for what needs the server: overrides and tags.

        Raises:
            InvalidArgument: A picture cannot be read.
        """
        said: dict[str, Any] = {
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            "num_inference_steps": self.steps,
            "guidance_scale": self.cfg_scale,
            "width": self.width,
            "height": self.height,
            "num_images": self.count,
            "prompt_syntax": "a1111",
            **read_sampler(self.sampler_name or self.sampler_index, self.scheduler, self.eta),
        }
        return options_of(said)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the answer repeats of the request: all but pictures."""
        return self.model_dump(exclude={"init_images", "mask"})


class Img2Img(Txt2Img):
    """A picture drawn anew.

    Attributes:
        init_images: The picture, as base64: one.
        mask: White where it is drawn anew, as base64.
        denoising_strength: How much is drawn anew.
    """

    init_images: list[str] = []
    mask: str = ""
    denoising_strength: float | None = None

    @classmethod
    def _heard(cls, said: dict[str, Any]) -> dict[str, Any]:
        masks = inert.MASKED if said.get("mask") else inert.UNMASKED
        return inert.without_inert(said, inert={**inert.IMG2IMG, **masks})

    @property
    def options(self) -> GenerateOptions:
        """What the SDK is asked, with the picture and its mask.

        Raises:
            InvalidArgument: There is not one picture, or it cannot be read.
        """
        if len(self.init_images) != 1:
            raise _refused("init_images", f"there are {len(self.init_images)} pictures", "send one")
        options = super().options
        options["image"] = read_base64(self.init_images[0], name="init_images")
        if self.mask:
            options["mask_image"] = read_base64(self.mask, name="mask")
        if self.denoising_strength is not None:
            options["strength"] = self.denoising_strength
        return options


def read_base64(text: str, *, name: str) -> bytes:
    """Give the bytes of a picture; what a data URL has before them is left out.

    Raises:
        InvalidArgument: It is no base64.
    """
    start, comma, rest = text.partition(",")
    try:
        return base64.b64decode(
            rest if comma and start.startswith("data:") else text, validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise _refused(name, "it is no base64", "send the bytes of a PNG as base64") from error


def _refused(name: str, message: str, hint: str) -> InvalidArgument:
    return InvalidArgument(
        f"{name}: {message}",
        reason="FIELD_INVALID",
        hint=hint,
        violations=(FieldViolation(field=name, description=message),),
    )
