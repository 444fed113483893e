# SPDX-License-Identifier: Apache-2.0
"""What an image wears and how it came to be, written into the file itself.

In: a job, an image's index and its pixels. Out: PNG bytes with the text chunks `parameters` (in
A1111's words), `tabard` (JSON) and the marking, in this order. No time and no job id: equal
requests leave equal files, but for the id of a trace where one is kept.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from tabard_registry import Registry
from tabard_server.engine_port.drawing import Drawing, Pixels, Size
from tabard_server.engine_port.port import EnginePort
from tabard_server.engine_port.regions import Region
from tabard_server.engine_port.samplers import SAMPLERS
from tabard_server.engine_port.walk import SCHEDULES, Walk
from tabard_server.jobs.job import PNG, Job, PutIn, Worn, WornRecipe, Written
from tabard_server.jobs.words.controls import write_controls
from tabard_server.jobs.words.prompt_tags import write_tag
from tabard_server.output.lossy import write_lossy
from tabard_server.output.marking import add_marking, marked
from tabard_server.safety.verdict import Verdict
from tabard_server.version import tabard_version

JSON_CHUNK = "tabard"
"""Name of the PNG text chunk with the JSON."""
A1111_CHUNK = "parameters"
"""Name of the PNG text chunk with A1111's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What all images of one server share.

    Attributes:
        tabard: Version of Tabard.
        base_family: `sd1`, ….
        base_fingerprint: Fingerprint of the base.
        base_source: Last part of where the base came from.
        registry_id: Id of the registry.
        device: What draws, like `cpu` or `cuda:0`.
        dtype: In which precision, like `float32`.
        versions: Versions of the libraries that shape an image.
        sampler_titles: A1111's name of each sampler.
    """

    tabard: str
    base_family: str
    base_fingerprint: str
    base_source: str
    registry_id: str
    device: str
    dtype: str
    versions: Mapping[str, str]
    sampler_titles: Mapping[str, str]


def origin_of(engine: EnginePort[Any], *, registry: Registry) -> Origin:
    """Return what all images of a server share."""
    return Origin(
        tabard=tabard_version(),
        base_family=engine.profile.family,
        base_fingerprint=engine.profile.fingerprint,
        base_source=Path(engine.source).name or engine.source,
        registry_id=registry.id,
        device=engine.device,
        dtype=engine.facts.dtype,
        versions=engine.facts.versions,
        sampler_titles={name: sampler.title for name, sampler in SAMPLERS.items()},
    )


def describe(
    job: Job, *, index: int, origin: Origin, verdict: Verdict | None = None
) -> dict[str, Any]:
    """Return the provenance of one image as plain data.

    Its index is not part of it: image 2 of seed 7 is image 0 of seed 9, to the byte.
    A deterministic job leaves out the log position and the trace: they differ between two equal
    requests, and the digests pin everything already.
    """
    registry: dict[str, Any] = {"id": origin.registry_id}
    if not job.is_deterministic:
        registry["seq"] = job.registry_seq
    return {
        "tabard": origin.tabard,
        "base": {
            "family": origin.base_family,
            "fingerprint": origin.base_fingerprint,
            "source": origin.base_source,
        },
        "registry": registry,
        "stack": [_describe_worn(worn) for worn in job.worn],
        "seed": job.seeds[index],
        "deterministic": job.is_deterministic,
        "engine": {"device": origin.device, "dtype": origin.dtype},
        "versions": dict(origin.versions),
        # Whoever makes a file with loss again has to know with how much.
        **({"written": asdict(job.written)} if job.written.format != "png" else {}),
        **_describe_drawing(job.drawing),
        **({"prompt_windows": job.prompt_windows} if job.prompt_windows > 1 else {}),
        **({"trigger": _describe_put_in(job.put_in)} if job.put_in else {}),
        **({"warnings": _describe_warnings(job)} if job.warnings else {}),
        **({} if verdict is None else {"safety": verdict.describe()}),
        **({} if job.is_deterministic else _describe_trace(job)),
    }


def write_parameters(
    job: Job, *, index: int, origin: Origin, verdict: Verdict | None = None
) -> str:
    """Write what A1111 and the tools around it read."""
    layered = [worn for worn in job.worn if worn.release.kind != "textual_inversion"]
    taught = [worn for worn in job.worn if worn.release.kind == "textual_inversion"]
    tags = [
        write_tag(str(worn.release.adapter), weight=worn.weight, controls=worn.controls)
        for worn in layered
    ]
    drawing = job.drawing
    facts = {
        "Steps": str(drawing.steps),
        "Sampler": origin.sampler_titles.get(drawing.sampler, drawing.sampler),
        **_guidance_facts(drawing),
        "Seed": str(job.seeds[index]),
        "Size": f"{drawing.width}x{drawing.height}",
        "Model hash": origin.base_fingerprint.removeprefix("sha256:")[:10],
        "Model": _quote(origin.base_source),
        **_optional_facts(drawing),
    }
    if layered:
        facts["Lora hashes"] = _quote(
            ", ".join(f"{worn.release.adapter}: {worn.release.digest.hex[:12]}" for worn in layered)
        )
    if taught:
        pairs = [(t.token, w.release.digest.hex[:12]) for w in taught for t in w.release.tokens]
        facts["TI hashes"] = _quote(", ".join(f"{token}: {short}" for token, short in pairs))
    if verdict is not None:
        facts["Safety check"] = str(verdict)
    facts["Version"] = f"tabard {origin.tabard}"
    lines = [" ".join([drawing.prompt, *tags])]
    if drawing.negative_prompt:
        lines.append(f"Negative prompt: {drawing.negative_prompt}")
    lines.append(", ".join(f"{name}: {value}" for name, value in facts.items()))
    return "\n".join(lines)


def encode_image(
    pixels: Pixels, *, job: Job, index: int, origin: Origin, verdict: Verdict | None = None
) -> tuple[bytes, str]:
    """Return the file with its provenance, and the JSON that is returned beside it.

    The JSON beside the image also names the job, its index in that, the log position and the trace.

    Args:
        pixels: uint8, shape `[height, width, 3]`.
        job: The job.
        index: Which of its images.
        origin: What all images share.
        verdict: Of the safety classifier; None: nobody looked at it.

    Raises:
        InvalidRequest: What it says of itself does not fit into its format.
    """
    document = describe(job, index=index, origin=origin, verdict=verdict)
    texts = {
        A1111_CHUNK: write_parameters(job, index=index, origin=origin, verdict=verdict),
        JSON_CHUNK: _json(document),
    }
    beside = document | {
        "job_id": job.id,
        "index": index,
        "registry": {"id": origin.registry_id, "seq": job.registry_seq},
        **_describe_trace(job),
    }
    is_composite = job.drawing.picture is not None
    content = _encode(pixels, is_composite=is_composite, written=job.written, texts=texts)
    return content, _json(beside)


def encode_preview(pixels: Pixels, *, is_composite: bool, written: Written = PNG) -> bytes:
    """Return a picture that says what made it, and nothing else."""
    return _encode(pixels, is_composite=is_composite, written=written, texts={})


def _describe_drawing(drawing: Drawing) -> dict[str, Any]:
    """Say all that a drawing is; what is optional only where it was asked for."""
    told: dict[str, Any] = {
        "prompt": drawing.prompt,
        "negative_prompt": drawing.negative_prompt,
        "sampler": drawing.sampler,
        "steps": drawing.steps,
        "guidance_scale": drawing.guidance_scale,
        "width": drawing.width,
        "height": drawing.height,
    }
    if drawing.guidance != "classifier_free":
        told["guidance"] = drawing.guidance
    told |= _describe_walk(drawing.walk)
    if drawing.clip_skip:
        told["clip_skip"] = drawing.clip_skip
    if drawing.style.syntax != "plain":
        told["prompt_syntax"] = drawing.style.syntax
    if drawing.style.token_match != "whole":
        told["token_match"] = drawing.style.token_match
    if (skipped := drawing.skipped) is not None:
        told["skip_guidance_layers"] = list(skipped.layers)
        for name in ("scale", "start", "stop"):
            told[f"skip_layer_guidance_{name}"] = getattr(skipped, name)
    if named := [region for region in drawing.regions if region.is_named]:
        told["regions"] = [_describe_region(region) for region in named]
    if (picture := drawing.picture) is not None:
        told["image"] = {"sha256": picture.sha256, **_describe_size(picture.sent_size)}
        told["strength"] = drawing.strength
        if picture.mask is not None:
            told["mask_image"] = {"sha256": picture.mask_sha256}
    if drawing.original_size is not None:
        told["original_size"] = _describe_size(drawing.original_size)
    if drawing.target_size is not None:
        told["target_size"] = _describe_size(drawing.target_size)
    if drawing.crop_top_left is not None:
        told["crop_top_left"] = {"top": drawing.crop_top_left[0], "left": drawing.crop_top_left[1]}
    return told


def _describe_region(region: Region) -> dict[str, Any]:
    """Say what the request said of a region; boxes of adapters stand in their controls."""
    told: dict[str, Any] = {"name": region.name}
    if region.mask_sha256:
        told["mask"] = {"sha256": region.mask_sha256}
    else:
        told["boxes"] = region.boxes
    return told | ({"prompt": region.prompt} if region.has_own_prompt else {})


def _describe_walk(walk: Walk) -> dict[str, Any]:
    told: dict[str, Any] = {
        "timestep_spacing": walk.timestep_spacing,
        "schedule": walk.schedule,
        "timesteps": list(walk.timesteps),
        "sigmas": list(walk.sigmas),
    }
    told = {name: value for name, value in told.items() if value}
    return told if walk.eta is None else told | {"eta": walk.eta}


def _describe_put_in(put_in: PutIn) -> dict[str, Any]:
    """Say the prompt as it was asked for; the one that was drawn stands in `prompt`."""
    told = {"prompt": put_in.prompt, "auto": put_in.is_auto, "words": list(put_in.words)}
    if put_in.negative_words:
        told["negative_prompt"] = put_in.negative_prompt
        told["negative_words"] = list(put_in.negative_words)
    return told


def _describe_warnings(job: Job) -> list[dict[str, str]]:
    return [
        {"release": one.release, "field": one.field, "message": one.message} for one in job.warnings
    ]


def _describe_trace(job: Job) -> dict[str, str]:
    return {"trace_id": job.trace_id} if job.trace_id else {}


def _describe_size(size: Size) -> dict[str, int]:
    return {"width": size[0], "height": size[1]}


def _optional_facts(drawing: Drawing) -> dict[str, str]:
    """Say what is optional in A1111's words, where it has them."""
    facts = _walk_facts(drawing.walk)
    if drawing.clip_skip:
        facts["Clip skip"] = str(drawing.clip_skip + 1)
    if drawing.style.syntax != "plain":
        facts["Prompt syntax"] = drawing.style.syntax
    if drawing.style.token_match != "whole":
        facts["Token match"] = drawing.style.token_match
    if (skipped := drawing.skipped) is not None:
        facts["Skip layers"] = _quote(
            f"{', '.join(map(str, skipped.layers))} at {skipped.scale:g} "
            f"from {skipped.start:g} to {skipped.stop:g}"
        )
    if named := [region for region in drawing.regions if region.is_named]:
        facts["Regions"] = _quote("; ".join(map(_region_fact, named)))
    if (picture := drawing.picture) is not None:
        facts["Denoising strength"] = f"{drawing.strength:g}"
        facts["Image hash"] = picture.sha256[:12]
        facts["Image size"] = "{}x{}".format(*picture.sent_size)
        facts["Mask"] = "no" if picture.mask is None else "yes"
        if picture.mask is not None:
            facts["Mask hash"] = picture.mask_sha256[:12]
    if drawing.original_size is not None:
        facts["Original size"] = "{}x{}".format(*drawing.original_size)
    if drawing.crop_top_left is not None:
        facts["Crop top left"] = _quote("{}, {}".format(*drawing.crop_top_left))
    if drawing.target_size is not None:
        facts["Target size"] = "{}x{}".format(*drawing.target_size)
    return facts


def _guidance_facts(drawing: Drawing) -> dict[str, str]:
    """Say how it is guided; what a network reads has the name that Forge gives it."""
    scale = f"{drawing.guidance_scale:g}"
    if drawing.guidance == "distilled":
        return {"CFG scale": "1", "Distilled CFG Scale": scale}
    return {"CFG scale": scale}


def _region_fact(region: Region) -> str:
    where = region.boxes or f"mask {region.mask_sha256[:12]}"
    return f"{region.name}={where}" + (f" {region.prompt}" if region.has_own_prompt else "")


def _walk_facts(walk: Walk) -> dict[str, str]:
    facts: dict[str, str] = {}
    if walk.schedule:
        facts["Schedule type"] = SCHEDULES[walk.schedule].title
    if walk.timestep_spacing:
        facts["Timestep spacing"] = walk.timestep_spacing
    for name, listed in (("Timesteps", walk.timesteps), ("Sigmas", walk.sigmas)):
        if listed:
            facts[name] = _quote(", ".join(map(repr, listed)))
    if walk.eta is not None:
        facts["Eta"] = f"{walk.eta:g}"
    return facts


def _describe_worn(worn: Worn) -> dict[str, Any]:
    told = _describe_release(worn) | {"kind": worn.release.kind}
    if worn.is_canary:
        told["canary"] = True
    if worn.recipe is not None:
        told["recipe"] = _describe_release(worn.recipe)
    return told


def _describe_release(worn: Worn | WornRecipe) -> dict[str, Any]:
    release = worn.release
    told = {
        "adapter": str(release.adapter),
        "version": str(release.version),
        "digest": str(release.digest),
        "weight": worn.weight,
    }
    return told if worn.controls is None else told | {"controls": write_controls(worn.controls)}


def _encode(
    pixels: Pixels, *, is_composite: bool, written: Written, texts: Mapping[str, str]
) -> bytes:
    if written.format != "png":
        return write_lossy(
            pixels,
            written=written,
            xmp=marked(is_composite=is_composite, provenance_json=texts.get(JSON_CHUNK, "")),
            parameters=texts.get(A1111_CHUNK, ""),
        )
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    add_marking(chunks, is_composite=is_composite)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=chunks, compress_level=4)
    return buffer.getvalue()


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _quote(text: str) -> str:
    """Quote a value as A1111 does: only when it would be misread, or steer who looks at it."""
    is_plain = text.isprintable() and not any(char in text for char in ",:")
    return text if is_plain else json.dumps(text, ensure_ascii=not text.isprintable())
