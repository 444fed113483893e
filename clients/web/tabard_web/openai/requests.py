# SPDX-License-Identifier: Apache-2.0
"""A request for images as OpenAI's clients send it, read into what the SDK is asked.

Parameters of OpenAI that change nothing here are taken with the values that change nothing; every
other one is refused by its name. Beside them stand Tabard's own, by the names of the SDK.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_origin

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tabard import FieldViolation, GenerateOptions, InvalidArgument
from tabard_web.openai.model_names import read_model
from tabard_web.options import options_of
from tabard_web.texts import Text

OutputFormat = Literal["png", "jpeg", "webp"]

_SIZE = re.compile(r"(?P<width>\d{1,6})x(?P<height>\d{1,6})")
_OWN = (
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "sampler",
    "timestep_spacing",
    "schedule",
    "timesteps",
    "sigmas",
    "eta",
    "deterministic",
    "clip_skip",
    "prompt_syntax",
    "prompt_windows_max",
    "token_match",
    "skip_guidance_layers",
    "skip_layer_guidance_scale",
    "skip_layer_guidance_start",
    "skip_layer_guidance_stop",
    "auto_trigger",
    "decline_canary",
    "canary_key",
    "priority",
    "request_id",
    "strength",
)
"""Tabard's own parameters, which the SDK takes as they are."""


class GenerationRequest(BaseModel):
    """What an image shall be. Names that Tabard adds are those of its SDK.

    Attributes:
        prompt: What to draw.
        model: Refs joined by `+`, each with a weight if it has one; or `base`.
        n: How many images.
        size: `WIDTHxHEIGHT`, or `auto`: the base's own, of an edit the picture's.
        response_format: Images come as base64, or as URLs of this gateway.
        output_format: How images are written; every one says how it was made.
        output_compression: Quality of a JPEG or WebP, as OpenAI has it: 100 is the best.
        background: Images have no transparency.
        moderation: Nobody looks at prompts here.
        quality: That of the steps that are asked for.
        user: Whom the caller draws for; the server is told by a token.
        safety_identifier: Likewise.
        stream: Send events as the image is drawn.
        partial_images: How many unfinished looks at every image a stream has.
        seed: Image i uses `seed + i`; left out or -1: drawn by the server.
        negative_prompt: What to keep away from.
        num_inference_steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        sampler: Short name, or A1111's spelling.
        timestep_spacing: How timesteps are spread: `leading`, `trailing` or `linspace`.
        schedule: How noise falls, in any spelling of UIs.
        timesteps: The timesteps themselves, falling.
        sigmas: The sigmas themselves, falling.
        eta: How much noise each step adds, from 0 to 1.
        deterministic: Byte-identical files for the same request.
        clip_skip: Last layers of the text encoders that the prompt leaves out.
        prompt_syntax: `plain` or `a1111`.
        prompt_windows_max: How many windows of the text encoder a prompt may fill.
        token_match: Where the words of embeddings count: `whole` or `anywhere`.
        skip_guidance_layers: SD3.5: guide away from what the network says without these layers.
        skip_layer_guidance_scale: How far away.
        skip_layer_guidance_start: Share of the steps behind which that begins.
        skip_layer_guidance_stop: Share of the steps before which it ends.
        auto_trigger: Put the trigger words of what is worn in front of the prompt.
        decline_canary: Be served what channels point to, and never the candidate of a canary.
        canary_key: The same key is served the same side of a canary.
        priority: Which of one tenant's jobs go first.
        request_id: The same id stands for the same job.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    prompt: Text
    model: Text | None = None
    n: Annotated[int, Field(ge=1)] = 1
    size: Annotated[str, Field(pattern=r"^(auto|\d{1,6}x\d{1,6})$")] = "auto"
    response_format: Literal["b64_json", "url"] = "b64_json"
    output_format: OutputFormat = "png"
    output_compression: Annotated[int, Field(ge=0, le=100)] = 100
    background: Literal["auto", "opaque"] = "auto"
    moderation: Literal["auto", "low"] = "auto"
    quality: Literal["auto", "standard"] = "auto"
    user: str = ""
    safety_identifier: str = ""
    stream: bool = False
    partial_images: Annotated[int, Field(ge=0, le=3)] = 0
    seed: Annotated[int | None, Field(ge=-1)] = None
    negative_prompt: Text = ""
    num_inference_steps: Annotated[int | None, Field(ge=0)] = None
    guidance_scale: float | None = None
    sampler: Text = ""
    timestep_spacing: Text = ""
    schedule: Text = ""
    timesteps: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=150)] = ()
    sigmas: Annotated[tuple[float, ...], Field(max_length=151)] = ()
    eta: float | None = None
    deterministic: bool = False
    clip_skip: Annotated[int | None, Field(ge=0)] = None
    prompt_syntax: Literal["plain", "a1111", ""] = ""
    prompt_windows_max: Annotated[int | None, Field(ge=0)] = None
    token_match: Literal["whole", "anywhere", ""] = ""
    skip_guidance_layers: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(max_length=256)
    ] = ()
    skip_layer_guidance_scale: float | None = None
    skip_layer_guidance_start: float | None = None
    skip_layer_guidance_stop: float | None = None
    auto_trigger: bool | None = None
    decline_canary: bool | None = None
    canary_key: Text = ""
    priority: Literal["low", "normal", "high", ""] = ""
    request_id: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_silence(cls, said: Any) -> Any:
        """Leave out what is null: it says nothing, whatever its name."""
        if not isinstance(said, dict):
            return said
        return {name: value for name, value in said.items() if value is not None}

    @property
    def options(self) -> GenerateOptions:
        """What the SDK is asked.

        Raises:
            InvalidArgument: Something cannot be had here.
            NotFound: The model is none.
        """
        if self.response_format == "url" and self.stream:
            raise _refused("response_format", "a stream has no URLs", "use b64_json")
        if self.partial_images and not self.stream:
            raise _refused("partial_images", "only a stream has partial images", "add stream: true")
        found = _SIZE.fullmatch(self.size)
        said: dict[str, Any] = {name: getattr(self, name, None) for name in _OWN}
        said |= {"adapters": read_model(self.model), "num_images": self.n, "seed": self.seed}
        if self.output_format != "png":
            said |= {
                "image_format": self.output_format,
                "image_quality": self.output_compression,
            }
        if found is not None:
            said |= {"width": int(found["width"]), "height": int(found["height"])}
        return options_of(said)


class EditRequest(GenerationRequest):
    """A picture drawn anew, as a form.

    Attributes:
        image: The picture, PNG, JPEG or WebP.
        images: The same where a client sends a list: of one picture.
        mask: A PNG or WebP of its size; where it is transparent, the picture is drawn anew.
        input_fidelity: `low` is what there is.
        strength: How much is drawn anew, above 0 and at most 1.
    """

    image: UploadFile | None = None
    images: Annotated[list[UploadFile], Field(alias="image[]")] = []
    mask: UploadFile | None = None
    input_fidelity: Literal["low"] = "low"
    strength: float | None = None

    @classmethod
    def lists(cls) -> frozenset[str]:
        """Name the parameters that a form says once for each of their values."""
        return frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if get_origin(field.annotation) in (list, tuple)
        )

    @property
    def picture(self) -> UploadFile:
        """The one picture.

        Raises:
            InvalidArgument: There is none, or there are several.
        """
        found = [*([self.image] if self.image else []), *self.images]
        if len(found) != 1:
            raise _refused("image", f"there are {len(found)} pictures", "send one")
        return found[0]


def _refused(field: str, message: str, hint: str) -> InvalidArgument:
    return InvalidArgument(
        f"{field}: {message}",
        reason="FIELD_INVALID",
        hint=hint,
        violations=(FieldViolation(field=field, description=message),),
    )
