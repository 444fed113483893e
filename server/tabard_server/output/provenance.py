# SPDX-License-Identifier: Apache-2.0
"""What an image wears and how it came to be, written into the PNG itself.

In: a job, an image's index and its pixels. Out: PNG bytes with the text chunks `tabard` (JSON) and
`parameters` (A1111's text). No time and no job id: equal requests leave equal files.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from tabard_registry import Release
from tabard_server.jobs.job import Job, Worn
from tabard_server.jobs.prompt_tags import write_tag

JSON_CHUNK = "tabard"
"""Name of the PNG text chunk with the JSON."""
A1111_CHUNK = "parameters"
"""Name of the PNG text chunk with A1111's text."""

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What all images of one server share.

    Attributes:
        tabard: Version of Tabard.
        base_family: `sd1`, ….
        base_fingerprint: Fingerprint of the base.
        base_source: Last part of where the base came from.
        registry_id: Id of the registry.
        versions: Versions of the libraries that shape an image.
        sampler_titles: A1111's name of each sampler.
    """

    tabard: str
    base_family: str
    base_fingerprint: str
    base_source: str
    registry_id: str
    versions: Mapping[str, str]
    sampler_titles: Mapping[str, str]


def describe(job: Job, *, index: int, origin: Origin) -> dict[str, Any]:
    """Return the provenance of one image as plain data.

    A deterministic job leaves out the log position: it differs between two equal requests, and the
    digests pin everything already.
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
        "prompt": job.prompt,
        "negative_prompt": job.negative_prompt,
        "seed": job.seeds[index],
        "index": index,
        "sampler": job.sampler,
        "steps": job.steps,
        "guidance_scale": job.guidance_scale,
        "width": job.width,
        "height": job.height,
        "deterministic": job.is_deterministic,
        "versions": dict(origin.versions),
        **_describe_reading(job),
        **_describe_picture(job),
    }


def write_parameters(job: Job, *, index: int, origin: Origin) -> str:
    """Write what A1111 and the tools around it read."""
    layered = [worn for worn in job.worn if worn.release.kind != "textual_inversion"]
    taught = [worn for worn in job.worn if worn.release.kind == "textual_inversion"]
    tags = [write_tag(str(worn.release.adapter), weight=worn.weight) for worn in layered]
    facts = {
        "Steps": str(job.steps),
        "Sampler": origin.sampler_titles.get(job.sampler, job.sampler),
        "CFG scale": f"{job.guidance_scale:g}",
        "Seed": str(job.seeds[index]),
        "Size": f"{job.width}x{job.height}",
        "Model hash": origin.base_fingerprint.removeprefix("sha256:")[:10],
        "Model": _quote(origin.base_source),
        **_wished_facts(job),
    }
    if layered:
        facts["Lora hashes"] = _quote(
            ", ".join(f"{worn.release.adapter}: {worn.release.digest.hex[:12]}" for worn in layered)
        )
    if taught:
        pairs = [(t.token, w.release.digest.hex[:12]) for w in taught for t in w.release.tokens]
        facts["TI hashes"] = _quote(", ".join(f"{token}: {short}" for token, short in pairs))
    facts["Version"] = f"tabard {origin.tabard}"
    lines = [" ".join([job.prompt, *tags])]
    if job.negative_prompt:
        lines.append(f"Negative prompt: {job.negative_prompt}")
    lines.append(", ".join(f"{name}: {value}" for name, value in facts.items()))
    return "\n".join(lines)


def encode_image(pixels: Pixels, *, job: Job, index: int, origin: Origin) -> tuple[bytes, str]:
    """Return the PNG with its provenance, and the JSON that is returned beside it.

    The JSON beside the image also names the job and the log position.

    Args:
        pixels: uint8, shape `[height, width, 3]`.
        job: The job.
        index: Which of its images.
        origin: What all images share.
    """
    document = describe(job, index=index, origin=origin)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(JSON_CHUNK, _json(document))
    chunks.add_text(A1111_CHUNK, write_parameters(job, index=index, origin=origin))
    beside = document | {
        "job_id": job.id,
        "registry": {"id": origin.registry_id, "seq": job.registry_seq},
    }
    return _encode(pixels, chunks=chunks), _json(beside)


def encode_preview(pixels: Pixels) -> bytes:
    """Return a PNG without text chunks."""
    return _encode(pixels, chunks=None)


def _describe_reading(job: Job) -> dict[str, Any]:
    """Say how the prompts were read, where it is not the plain way."""
    told: dict[str, Any] = {}
    if job.clip_skip:
        told["clip_skip"] = job.clip_skip
    if job.prompt_syntax != "plain":
        told["prompt_syntax"] = job.prompt_syntax
    if job.prompt_windows > 1:
        told["prompt_windows"] = job.prompt_windows
    return told


def _describe_picture(job: Job) -> dict[str, Any]:
    """Say what the image began from, and what SDXL was told; nothing of what was not given."""
    told: dict[str, Any] = {}
    if (sent := job.picture) is not None:
        told["image"] = {"sha256": sent.sha256, "width": sent.width, "height": sent.height}
        told["strength"] = job.strength
        if sent.mask is not None:
            told["mask_image"] = {"sha256": sent.mask_sha256}
    for name, size in (("original_size", job.original_size), ("target_size", job.target_size)):
        if size is not None:
            told[name] = {"width": size[0], "height": size[1]}
    if job.crop_top_left is not None:
        told["crop_top_left"] = {"top": job.crop_top_left[0], "left": job.crop_top_left[1]}
    return told


def _wished_facts(job: Job) -> dict[str, str]:
    """Say the same in A1111's words, where it has them."""
    facts: dict[str, str] = {}
    if job.clip_skip:
        facts["Clip skip"] = str(job.clip_skip + 1)
    if job.prompt_syntax != "plain":
        facts["Prompt syntax"] = job.prompt_syntax
    if (sent := job.picture) is not None:
        facts["Denoising strength"] = f"{job.strength:g}"
        facts["Image hash"] = sent.sha256[:12]
        facts["Image size"] = f"{sent.width}x{sent.height}"
        facts["Mask"] = "no" if sent.mask is None else "yes"
        if sent.mask is not None:
            facts["Mask hash"] = sent.mask_sha256[:12]
    if job.original_size is not None:
        facts["Original size"] = "{}x{}".format(*job.original_size)
    if job.crop_top_left is not None:
        facts["Crop top left"] = _quote("{}, {}".format(*job.crop_top_left))
    if job.target_size is not None:
        facts["Target size"] = "{}x{}".format(*job.target_size)
    return facts


def _describe_worn(worn: Worn) -> dict[str, Any]:
    told = _describe_release(worn.release, weight=worn.weight) | {"kind": worn.release.kind}
    if worn.recipe is not None:
        told["recipe"] = _describe_release(worn.recipe.release, weight=worn.recipe.weight)
    return told


def _describe_release(release: Release, *, weight: float) -> dict[str, Any]:
    return {
        "adapter": str(release.adapter),
        "version": str(release.version),
        "digest": str(release.digest),
        "weight": weight,
    }


def _encode(pixels: Pixels, *, chunks: PngImagePlugin.PngInfo | None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=chunks, compress_level=4)
    return buffer.getvalue()


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _quote(text: str) -> str:
    """Quote a value as A1111 does: only when it would be misread."""
    is_plain = not any(char in text for char in ",:\n")
    return text if is_plain else json.dumps(text, ensure_ascii=False)
