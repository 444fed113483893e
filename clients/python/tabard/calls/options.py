# SPDX-License-Identifier: Apache-2.0
"""Everything that a generate request may say besides its prompt, and the message it becomes.

Names follow diffusers; what is left out takes the server's default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from tabard.calls.call import each, out_of_range, weighted
from tabard.enums import (
    ImageFormat,
    Priority,
    PromptSyntax,
    Sampler,
    Schedule,
    TimestepSpacing,
    TokenMatch,
    member_number,
)
from tabard.errors import FieldViolation, InvalidArgument
from tabard.pictures.region import Region
from tabard.pictures.sources import PictureSource, read_picture
from tabard.releases.wear import Wear
from tabard.v1 import adapter_pb2
from tabard.v1 import generation_service_pb2 as pb

RANDOM_SEED = -1
"""What UIs write for a seed that is drawn."""
SEED_MAX = (1 << 64) - 1
"""The largest seed of an image."""
_OPTION_OF = {"crop_top_left": "crops_coords_top_left"}
"""Fields whose option has another name, that of diffusers."""


_ENUMS: Mapping[str, Any] = {
    "prompt_syntax": pb.PromptSyntax,
    "token_match": pb.TokenMatch,
    "priority": pb.Priority,
    "image_format": pb.ImageFormat,
}


class GenerateOptions(TypedDict, total=False):
    """What `generate` and `stream` take by name.

    Attributes:
        adapters: Refs, each `ns/name[@channel|@version|@sha256:…][:weight]`, with controls behind
            the weight (`acme/ink:0.8:te=0.5:end=0.6`) or in a `Wear`; one may stand alone.
        seed: Image i uses `seed + i`; drawn by the server when left out, or -1 as in UIs.
        num_inference_steps: Denoise steps.
        guidance_scale: How strongly the prompt is followed. Classifier-free guidance, of which 1 or
            less turns it off; on Flux.1 dev the number that the model reads.
        negative_prompt: What to keep away from.
        width: Pixels.
        height: Pixels.
        num_images: How many images.
        sampler: Short name (`euler_a`) or A1111 spelling (`Euler a`, `DPM++ 2M Exponential`).
        timestep_spacing: How timesteps are spread: `leading`, `trailing` or `linspace`. Few-step
            adapters want `trailing`. Left out: as the base and the schedule have it.
        schedule: `karras`, `exponential`, `beta`, `sgm_uniform`, `simple`, `ddim_uniform`, `normal`
            or a UI's spelling. Left out: the sampler's own.
        timesteps: The timesteps themselves, from the largest to the smallest.
        sigmas: The sigmas themselves, falling; the last one is where the walk ends, mostly 0.
        eta: How much noise each step adds, from 0 to 1, with `ddim` and `tcd`. Left out: none.
        deterministic: Byte-identical files for the same request, alone or in a crowd.
        clip_skip: Last layers of the text encoders that the prompt leaves out; 1 is A1111's 2.
        prompt_syntax: `plain`: every character is text. `a1111`: `(word:1.2)`, `[word]`, `BREAK`.
        prompt_windows_max: How many windows a prompt may fill. Left out: 1 in plain syntax, all
            that the server allows in A1111's. A window is what the text encoder reads at once: 75
            tokens, words or parts of words (30 with the demo base). A longer prompt is refused,
            never cut.
        token_match: Where the word of an embedding counts. `whole`: as a word of its own.
            `anywhere`: in longer words too, as in diffusers.
        auto_trigger: Put the trigger words of what is worn in front of the prompt, those that it
            lacks. Without it, `{trigger}` in the prompt says where they go.
        priority: Which of one tenant's jobs go first: `low`, `normal` or `high`.
        image_format: How images are written: `png`, `jpeg` or `webp`; each says how it was made.
        image_quality: Quality of a JPEG or WebP, from 0 to 100; left out: 95.
        request_id: The same id stands for the same job, so that asking again draws nothing again;
            for those who ask again after their own program has ended. Left out: a fresh one, which
            holds for one call and its retries. Empty: none.
        decline_canary: Be served what channels point to, and never the candidate of a canary.
        canary_key: The same key is served the same side of a canary; it counts where nobody is
            asked who they are.
        image: Begin from this picture: a path, bytes, or a Pillow image. Without width and height
            it is drawn at its own size, rounded down to what the base can draw; with both it is
            resized to them.
        strength: How much of the picture is redrawn, above 0 and at most 1; left out: 0.8, with a
            mask 1.
        mask_image: Where it is redrawn (white) and where it stays (black); of the picture's size.
        regions: Parts of the picture, each a `Region`: adapters name them, and they may have
            prompts of their own.
        original_size: SDXL: the size `(height, width)` that the picture shall seem to come from.
        crops_coords_top_left: SDXL: `(y, x)`, from where in that it shall seem to be cut.
        target_size: SDXL: the size `(height, width)` that it shall seem to have.
        skip_guidance_layers: SD3.5: guide away from what the network says without these of its
            layers, as in diffusers; for medium, [7, 8, 9].
        skip_layer_guidance_scale: How far away; left out: 2.8.
        skip_layer_guidance_start: Share of the steps behind which that begins; left out: 0.01.
        skip_layer_guidance_stop: Share of the steps before which it ends; left out: 0.2.
    """

    adapters: str | Wear | Sequence[str | Wear]
    seed: int | None
    num_inference_steps: int | None
    guidance_scale: float | None
    negative_prompt: str
    width: int | None
    height: int | None
    num_images: int | None
    sampler: Sampler | str
    timestep_spacing: TimestepSpacing | str
    schedule: Schedule | str
    timesteps: Sequence[int]
    sigmas: Sequence[float]
    eta: float | None
    deterministic: bool
    clip_skip: int | None
    prompt_syntax: PromptSyntax
    prompt_windows_max: int | None
    token_match: TokenMatch
    auto_trigger: bool
    priority: Priority
    image_format: ImageFormat
    image_quality: int | None
    request_id: str | None
    decline_canary: bool
    canary_key: str
    image: PictureSource | None
    strength: float | None
    mask_image: PictureSource | None
    regions: Region | Sequence[Region]
    original_size: tuple[int, int] | None
    crops_coords_top_left: tuple[int, int] | None
    target_size: tuple[int, int] | None
    skip_guidance_layers: Sequence[int]
    skip_layer_guidance_scale: float | None
    skip_layer_guidance_start: float | None
    skip_layer_guidance_stop: float | None


def write_request(
    prompt: str, *, options: Mapping[str, Any], preview_every: int = 0
) -> pb.GenerateRequest:
    """Return the message of a request; pictures are read here.

    Args:
        prompt: What to draw.
        options: Those of `GenerateOptions` that are said.
        preview_every: A preview every so many steps.

    Raises:
        TypeError: There is no such option, or its value is of another type.
        InvalidArgument: A value cannot be sent.
    """
    if unknown := [name for name in options if name not in GenerateOptions.__annotations__]:
        raise TypeError(f"there is no parameter {unknown[0]!r}{_meant(unknown[0])}")
    said = {name: value for name, value in options.items() if value is not None}
    if said.get("seed") == RANDOM_SEED:
        del said["seed"]
    for name in ("image", "mask_image"):
        if name in said:
            said[name] = read_picture(said[name], name=name)
    for name in ("original_size", "target_size"):
        if name in said:
            height, width = _pair(name, said[name])
            said[name] = {"width": width, "height": height}
    if "crops_coords_top_left" in said:
        top, left = _pair("crops_coords_top_left", said.pop("crops_coords_top_left"))
        said["crop_top_left"] = {"top": top, "left": left}
    for name in said.keys() & _ENUMS.keys():
        what = name.replace("_", " ")
        said[name] = member_number(_ENUMS[name].DESCRIPTOR, said[name], what=what)
    for name, write in (("regions", _write_region), ("adapters", _write_adapter)):
        if name in said:
            said[name] = list(map(write, each(said[name])))
    fields = pb.GenerateRequest.DESCRIPTOR.fields_by_name
    try:
        return pb.GenerateRequest(prompt=prompt, preview_every=preview_every, **said)
    # Protobuf's own words name neither field nor value.
    except ValueError as error:
        field = _untakeable(said, ValueError) or "preview_every"
        name = _OPTION_OF.get(field, field)
        besides = f", or {RANDOM_SEED} for a random one" if name == "seed" else ""
        said_value = options.get(name, preview_every)
        raise out_of_range(name, said_value, field=fields[field], besides=besides) from error
    except TypeError as error:
        field = _untakeable(said, TypeError) or "preview_every"
        name = _OPTION_OF.get(field, field)
        value = options.get(name, preview_every)
        raise TypeError(f"{name} cannot be {value!r}, a {type(value).__name__}") from error


def _write_region(region: Any) -> pb.Region:
    if not isinstance(region, Region):
        raise TypeError(f"regions cannot have {region!r}")
    mask = region.mask
    try:
        return pb.Region(
            name=region.name,
            boxes=region.boxes,
            mask=None if mask is None else read_picture(mask, name="mask"),
            prompt=region.prompt,
        )
    except (TypeError, ValueError) as error:
        raise TypeError(f"regions cannot have {region!r}") from error


def _write_adapter(adapter: Any) -> adapter_pb2.WeightedRef:
    if not isinstance(adapter, Wear):
        return weighted([adapter], what="adapters")[0]
    controls = {
        name: value
        for name in ("text_encoder", "unet", "start", "end", "region")
        if (value := getattr(adapter, name)) is not None
    }
    lists: dict[str, Any] = {}
    try:
        if adapter.points:
            lists["points"] = [{"weight": weight, "at": at} for weight, at in adapter.points]
        if isinstance(adapter.blocks, Mapping):
            items = adapter.blocks.items()
            lists["blocks"] = [{"block": block, "weight": weight} for block, weight in items]
        elif adapter.blocks:
            lists["block_weights"] = adapter.blocks
        message = adapter_pb2.WeightedRef(ref=adapter.ref, weight=adapter.weight)
        if controls or lists:
            message.controls.CopyFrom(adapter_pb2.AdapterControls(**controls, **lists))
    except (TypeError, ValueError) as error:
        raise TypeError(f"adapters cannot have {adapter!r}") from error
    return message


def _untakeable(said: Mapping[str, Any], error: type[Exception]) -> str:
    """Name the first of these fields that no message takes, by this error; empty: none of them."""
    for name, value in said.items():
        try:
            pb.GenerateRequest(**{name: value})
        except error:
            return name
    return ""


def _meant(name: str) -> str:
    """Say which option was probably meant: one with such a word in its name, or one like it."""
    import difflib  # noqa: PLC0415 - only mistakes need it

    known = list(GenerateOptions.__annotations__)
    near = [one for one in known if name in one.split("_")]
    near = near or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _pair(name: str, value: Sequence[int]) -> tuple[int, int]:
    if len(value) != 2:
        message = f"{name} has {len(value)} numbers"
        raise InvalidArgument(
            message,
            reason="NOT_A_PAIR",
            hint=f"write {name}=(1024, 1024): as in diffusers the vertical number comes first",
            violations=(FieldViolation(field=name, description=message),),
        )
    return value[0], value[1]
