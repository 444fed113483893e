# SPDX-License-Identifier: Apache-2.0
"""A request for a job, by the names of the SDK. What is not known is refused by its name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tabard import GenerateOptions, Region
from tabard_web.options import options_of
from tabard_web.texts import Text

PARAMS: Mapping[str, str] = {
    "detach.namespace": "namespace",
    "detach.webhook_url": "webhook_url",
}
"""What the parameters of a job are called here that the server has other names for."""


def _decoded(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is no base64") from error
    return text


Picture = Annotated[str, AfterValidator(_decoded)]
"""The file of a picture, as base64."""
Pair = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class JobRegion(BaseModel):
    """A part of the picture.

    Attributes:
        name: By which adapters say that they are worn there.
        boxes: `left,top,right,bottom` in shares of the picture, with `/` between several.
        mask: White is the region; of the size that is drawn, as base64.
        prompt: What to draw there; left out: what is drawn everywhere.
    """

    model_config = ConfigDict(extra="forbid")

    name: Text
    boxes: Text = ""
    mask: Picture | None = None
    prompt: Text | None = None

    @property
    def region(self) -> Region:
        """The same, as the SDK takes it."""
        mask = None if self.mask is None else base64.b64decode(self.mask)
        return Region(name=self.name, boxes=self.boxes, mask=mask, prompt=self.prompt)


class JobRequest(BaseModel):
    """What shall be drawn; each name means what it does in the SDK.

    Attributes:
        prompt: What to draw.
        adapters: Refs, each with a weight if it has one.
        seed: Image i uses `seed + i`; left out or -1: drawn by the server.
        num_inference_steps: Denoise steps.
        guidance_scale: Classifier-free guidance.
        negative_prompt: What to keep away from.
        width: Pixels.
        height: Pixels.
        num_images: How many images.
        sampler: Short name, or A1111's spelling.
        timestep_spacing: How timesteps are spread.
        schedule: How noise falls.
        timesteps: The timesteps themselves, falling.
        sigmas: The sigmas themselves, falling.
        eta: How much noise each step adds.
        deterministic: Byte-identical files for the same request.
        clip_skip: Last layers of the text encoders that the prompt leaves out.
        prompt_syntax: `plain` or `a1111`.
        prompt_windows_max: How many windows of the text encoder a prompt may fill.
        token_match: Where the words of embeddings count.
        auto_trigger: Put the trigger words of what is worn in front of the prompt.
        priority: Which of one tenant's jobs go first.
        image_format: How images are written: `png`, `jpeg` or `webp`.
        image_quality: Quality of a JPEG or WebP.
        request_id: The same id stands for the same job.
        decline_canary: Be served what channels point to.
        canary_key: The same key is served the same side of a canary.
        image: Begin from this picture, as base64.
        strength: How much of it is redrawn.
        mask_image: Where it is redrawn (white), as base64.
        regions: Parts of the picture in which adapters are worn, or which have prompts, apart.
        original_size: SDXL: `[height, width]` that the picture shall seem to come from.
        crops_coords_top_left: SDXL: `[y, x]`, from where in that it shall seem to be cut.
        target_size: SDXL: `[height, width]` that it shall seem to have.
        skip_guidance_layers: SD3.5: guide away from what the network says without these layers.
        skip_layer_guidance_scale: How far away.
        skip_layer_guidance_start: Share of the steps behind which that begins.
        skip_layer_guidance_stop: Share of the steps before which it ends.
        webhook_url: Told of the job's end by a signed POST.
        namespace: Write the images into the bucket of this namespace.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    prompt: Text
    adapters: Annotated[tuple[Text, ...], Field(max_length=64)] = ()
    seed: Annotated[int | None, Field(ge=-1)] = None
    num_inference_steps: Annotated[int | None, Field(ge=0)] = None
    guidance_scale: float | None = None
    negative_prompt: Text = ""
    width: Annotated[int | None, Field(ge=0)] = None
    height: Annotated[int | None, Field(ge=0)] = None
    num_images: Annotated[int | None, Field(ge=1)] = None
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
    auto_trigger: bool = False
    priority: Literal["low", "normal", "high", ""] = ""
    image_format: Literal["png", "jpeg", "webp", ""] = ""
    image_quality: Annotated[int | None, Field(ge=0, le=100)] = None
    request_id: Text = ""
    decline_canary: bool = False
    canary_key: Text = ""
    image: Picture | None = None
    strength: float | None = None
    mask_image: Picture | None = None
    regions: Annotated[tuple[JobRegion, ...], Field(max_length=64)] = ()
    original_size: Pair | None = None
    crops_coords_top_left: Pair | None = None
    target_size: Pair | None = None
    skip_guidance_layers: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(max_length=256)
    ] = ()
    skip_layer_guidance_scale: float | None = None
    skip_layer_guidance_start: float | None = None
    skip_layer_guidance_stop: float | None = None
    webhook_url: Text = ""
    namespace: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _without_silence(cls, said: Any) -> Any:
        """Leave out what is null: it says nothing, whatever its name."""
        if not isinstance(said, dict):
            return said
        return {name: value for name, value in said.items() if value is not None}

    @property
    def options(self) -> GenerateOptions:
        """What the SDK is asked."""
        said: dict[str, Any] = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in ("prompt", "webhook_url", "namespace")
        }
        for name in ("image", "mask_image"):
            if said[name] is not None:
                said[name] = base64.b64decode(said[name])
        said["regions"] = tuple(one.region for one in self.regions)
        return options_of(said)
