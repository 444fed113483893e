# SPDX-License-Identifier: Apache-2.0
"""From the provenance of an image to the request that makes it again, and what came of that.

In: a file that may come from anybody. Out: options of `generate`, pinned to digests; then the two
images side by side. Pixels are looked at with Pillow, only when files are not equal anyway.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tabard.calls.call import Caller
from tabard.calls.generation import GENERATE_TIMEOUT_SECONDS
from tabard.errors import FailedPrecondition, FieldViolation, InvalidArgument, NotFound, TabardError
from tabard.jobs.replay import (
    CLOSE,
    DIFFERENT,
    NOT_DRAWN,
    SAME_FILE,
    SAME_PIXELS,
    Replay,
    ReplayDifference,
)
from tabard.operations import ServerStatus
from tabard.pictures.difference import SAME_MAX, PixelDifference, apart
from tabard.pictures.png_text import damaged
from tabard.pictures.region import Region
from tabard.pictures.sources import PictureSource, read_picture
from tabard.pictures.words import FORMATS, format_of, read_words
from tabard.result import GeneratedImage, Progress

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

REFUSALS = (FailedPrecondition, InvalidArgument, NotFound)
"""Errors that say what differs from then; others are of the moment."""
PIXELS_MAX = 64 << 20
"""Most pixels of an image that is looked at."""
_DEPTH_MAX = 8
"""How deep a provenance is looked into; ours has four floors."""
_NUMBERS = {"steps": "num_inference_steps", "clip_skip": "clip_skip"}
_SIZES = ("original_size", "target_size")
_SKIPPED = tuple(f"skip_layer_guidance_{name}" for name in ("scale", "start", "stop"))
_NO_DIFFERENCE = PixelDifference(max=0, mean=0.0, changed=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remake:
    """An image, and the request that makes it again.

    Attributes:
        content: Its file.
        document: Its provenance.
        prompt: What to draw.
        options: What `generate` takes besides.
    """

    content: bytes = field(repr=False)
    document: Mapping[str, Any]
    prompt: str
    options: dict[str, Any]


def replay(
    caller: Caller,
    picture: PictureSource,
    *,
    image: PictureSource | None = None,
    mask_image: PictureSource | None = None,
    region_masks: Mapping[str, PictureSource] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    timeout_seconds: float = GENERATE_TIMEOUT_SECONDS,
) -> Remake:
    """Make an image again from its provenance, and say what differs from then.

    It is drawn with the digests that it names, whatever channels say now.

    Args:
        caller: Filled in by the client.
        picture: A PNG, JPEG or WebP that Tabard wrote: a path, or its bytes.
        image: The picture that it was begun from, if it was: the file as it was sent.
        mask_image: The mask, if there was one.
        region_masks: The masks of regions, by the region's name; of boxes nothing is needed.
        on_progress: Told as steps are done.
        timeout_seconds: Deadline of the whole job.

    Raises:
        InvalidArgument: The file does not say how it was made (`NOT_A_PICTURE`,
            `NO_PROVENANCE`, `PROVENANCE_UNREADABLE`), or what it was begun from is missing or is
            another file.
        ResourceExhausted: The server is full; see `.retry_after_seconds`.
        DeadlineExceeded: The deadline passed; the job was stopped.
    """
    content = read_picture(picture, name="picture")
    document = provenance_of(content)
    try:
        options, prompt = _options(document), _asked(document, "prompt")
        options |= _written(document, content)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(f"what this file says of itself cannot be: {_short(error)}") from error
    for name, source in (("image", image), ("mask_image", mask_image)):
        if (sent := _sent(document, name=name, source=source)) is not None:
            options[name] = sent
    if regions := _regions(document, masks=region_masks or {}):
        options["regions"] = regions
    _picture(content)
    options |= {"on_progress": on_progress, "timeout_seconds": timeout_seconds}
    return Remake(content=content, document=document, prompt=prompt, options=options)


def provenance_of(picture: bytes) -> dict[str, Any]:
    """Read what a file of Tabard says of how it was made.

    Raises:
        InvalidArgument: It says nothing, or nothing that can be read (`NOT_A_PICTURE`,
            `NO_PROVENANCE`, `PROVENANCE_UNREADABLE`).
    """
    texts = read_words(picture)
    if "tabard" not in texts:
        is_foreign = "parameters" in texts
        raise InvalidArgument(
            "this file has A1111's text only: it names no digests"
            if is_foreign
            else "this file does not say how it was made",
            reason="NO_PROVENANCE",
            hint="give the file as Tabard wrote it: editing and uploading often drop its texts",
        )
    try:
        document = json.loads(texts["tabard"], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable("what this file says of itself is no JSON") from error
    if not isinstance(document, dict):
        raise _unreadable("what this file says of itself is no JSON object")
    return document


def judge(made: Remake, image: GeneratedImage) -> Replay:
    """Say how equal a new image is, and what was otherwise when the first one was made."""
    if image.content == made.content:
        return Replay(outcome=SAME_FILE, differences=(), pixels=_NO_DIFFERENCE,
                      image=image)  # fmt: skip
    differences = _told(made.document, provenance_of(image.content))
    then, drawn = _picture(made.content), _picture(image.content)
    if then.size != drawn.size:
        sizes = ("{}x{}".format(*one.size) for one in (then, drawn))
        differences.append(ReplayDifference(name="pixels", then=next(sizes), now=next(sizes)))
        return Replay(outcome=DIFFERENT, differences=tuple(differences), image=image)
    pixels = apart(then, drawn)
    outcome = SAME_PIXELS if pixels.max == 0 else DIFFERENT
    if outcome == SAME_PIXELS and not differences:
        differences = _of_files(made.content, image.content)
    if pixels.max == SAME_MAX and not made.options["deterministic"]:
        outcome = CLOSE
    return Replay(outcome=outcome, differences=tuple(differences), pixels=pixels, image=image)


def not_drawn(made: Remake, refusal: TabardError, *, status: ServerStatus) -> Replay:
    """Say why an image cannot be made again, and what else is not as it was."""
    server: dict[str, Any] = {
        "tabard": status.version,
        "base": {"family": status.base_family, "fingerprint": status.base_fingerprint},
    }
    base = made.document.get("base")
    said = base if isinstance(base, dict) else {}
    then = {
        "tabard": made.document.get("tabard", ""),
        "base": {name: said.get(name, "") for name in server["base"]},
    }
    told = _told(then, server)
    told.append(ReplayDifference(name="request", then="drawn", now=f"{refusal.reason}: {refusal}"))
    return Replay(outcome=NOT_DRAWN, differences=tuple(told), refusal=refusal)


def _options(document: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "adapters": _adapters(document),
        "seed": _whole(document, "seed"),
        "num_images": 1,
        "guidance_scale": _number(document, "guidance_scale"),
        "negative_prompt": _asked(document, "negative_prompt"),
        "width": _whole(document, "width"),
        "height": _whole(document, "height"),
        "sampler": _text(document, "sampler"),
        "deterministic": _typed(document, "deterministic", bool),
        # What is not told had the meaning of every base, whatever this server's defaults are.
        "prompt_syntax": _text({"prompt_syntax": "plain", **document}, "prompt_syntax"),
        "token_match": _text({"token_match": "whole", **document}, "token_match"),
        "prompt_windows_max": _whole({"prompt_windows": 1, **document}, "prompt_windows"),
    }
    for name, option in _NUMBERS.items():
        options[option] = _whole({"clip_skip": 0, **document}, name)
    for name in ("strength", "eta", *_SKIPPED):
        if name in document:
            options[name] = _number(document, name)
    for name in ("timestep_spacing", "schedule"):
        if name in document:
            options[name] = _text(document, name)
    for name, kinds in (
        ("timesteps", (int,)),
        ("sigmas", (int, float)),
        ("skip_guidance_layers", (int,)),
    ):
        if name in document:
            options[name] = _listed(document, name, kinds=kinds)
    for name in _SIZES:
        if name in document:
            size = _typed(document, name, dict)
            options[name] = (_whole(size, "height"), _whole(size, "width"))
    if "trigger" in document:
        options["auto_trigger"] = _typed(_typed(document, "trigger", dict), "auto", bool)
    if "crop_top_left" in document:
        corner = _typed(document, "crop_top_left", dict)
        options["crops_coords_top_left"] = (_whole(corner, "top"), _whole(corner, "left"))
    return options


def _asked(document: Mapping[str, Any], name: str) -> str:
    """Return a prompt as it was asked for: words that were put in are put in again."""
    put_in = _typed(document, "trigger", dict) if "trigger" in document else {}
    return _text(put_in if name in put_in else document, name)


def _adapters(document: Mapping[str, Any]) -> list[str]:
    """Pin the stack; members that a recipe brought are asked for by that recipe, once."""
    refs = []
    for worn in _typed(document, "stack", list):
        asked = worn.get("recipe", worn) if isinstance(worn, dict) else worn
        if not isinstance(asked, dict):
            raise ValueError("a release of its stack is no object")
        digest = _text(asked, "digest")
        if not digest.startswith("sha256:"):
            raise ValueError("a digest in its stack is none")
        behind = [repr(_number(asked, "weight"))]
        if "controls" in asked:
            behind.append(_text(asked, "controls"))
        refs.append(":".join((f"{_text(asked, 'adapter')}@{digest}", *behind)))
    return list(dict.fromkeys(refs))


def _regions(
    document: Mapping[str, Any], *, masks: Mapping[str, PictureSource]
) -> tuple[Region, ...]:
    """Return the regions that it was drawn in, with the masks that were given again."""
    try:
        said = {
            _text(one, "name"): one for one in _typed({"regions": [], **document}, "regions", list)
        }
        regions = {
            name: Region(
                name=name,
                boxes=_text({"boxes": "", **one}, "boxes"),
                prompt=_text(one, "prompt") if "prompt" in one else None,
            )
            for name, one in said.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(f"what this file says of itself cannot be: {_short(error)}") from error
    for name in dict.fromkeys((*said, *masks)):
        field = f"region_masks[{name!r}]"
        told = {field: said.get(name, {}).get("mask")}
        content = _sent(told, name=field, source=masks.get(name))
        if content is not None:
            regions[name] = replace(regions[name], mask=content)
    return tuple(regions.values())


def _sent(document: Mapping[str, Any], *, name: str, source: PictureSource | None) -> bytes | None:
    """Return a picture to begin from, if it is the one that was."""
    said = document.get(name)
    wanted = said.get("sha256") if isinstance(said, dict) else None
    what = "a picture" if name == "image" else "a mask"
    if source is None:
        if wanted is None:
            return None
        raise _of_picture(
            name,
            f"this image was made from {what} with the SHA-256 {wanted}",
            reason="IMAGE_NEEDED",
            hint=f"give that file as well: {name}=…; only its digest is kept",
        )
    content = read_picture(source, name=name)
    found = hashlib.sha256(content).hexdigest()
    if wanted is None:
        message, hint = f"this image was made without {what}", f"leave {name} out"
    elif found != wanted:
        message = f"{name} has the SHA-256 {found}; this image was made from {wanted}"
        hint = "give the file as it was sent, byte for byte"
    else:
        return content
    raise _of_picture(name, message, reason="IMAGE_MISMATCH", hint=hint)


def _told(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[ReplayDifference]:
    before, after = dict(_leaves(then)), dict(_leaves(now))
    return [
        ReplayDifference(name=name, then=before.get(name, ""), now=after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _of_files(then: bytes, now: bytes) -> list[ReplayDifference]:
    """Name what differs between files of the same pixels and provenance: a text, or the packing."""
    sizes = [f"{len(file)} bytes" for file in (then, now)]
    packing = ReplayDifference(name="file", then=sizes[0], now=f"{sizes[1]}, packed otherwise")
    return _told(read_words(then), read_words(now)) or [packing]


def _leaves(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > _DEPTH_MAX:
        yield name, "more than can be compared"
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, f"{name}[{index}]", depth + 1)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


def _written(document: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Write the new image as the old one is written: what is packed with loss has other pixels."""
    kind = format_of(content)
    if kind == "png":
        return {}
    said = _typed(document, "written", dict) if "written" in document else {}
    quality = {"image_quality": _whole(said, "quality")} if said else {}
    return {"image_format": kind, **quality}


def _picture(content: bytes) -> PillowImage:
    from PIL import Image  # noqa: PLC0415 - Pillow is loaded only by those who look at pictures

    try:
        formats = [one.upper() for one in FORMATS]
        with Image.open(io.BytesIO(content), formats=formats) as image:
            if image.width * image.height > PIXELS_MAX:
                raise damaged(f"this picture has more than {PIXELS_MAX} pixels")
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise damaged("the pixels of this picture cannot be read") from error


def _typed(document: Mapping[str, Any], name: str, kind: type) -> Any:
    value = document[name]
    if type(value) is not kind:
        raise ValueError(f"{name} is of another type")
    return value


def _text(document: Mapping[str, Any], name: str) -> str:
    text: str = _typed(document, name, str)
    return text


def _whole(document: Mapping[str, Any], name: str) -> int:
    number: int = _typed(document, name, int)
    return number


def _number(document: Mapping[str, Any], name: str) -> float:
    value = document[name]
    if type(value) not in (int, float):
        raise ValueError(f"{name} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is out of range") from error


def _listed(document: Mapping[str, Any], name: str, *, kinds: tuple[type, ...]) -> list[Any]:
    listed: list[Any] = _typed(document, name, list)
    if not all(type(one) in kinds for one in listed):
        raise ValueError(f"{name} has what is no number")
    return listed


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def _short(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)[:200]


def _unreadable(message: str) -> InvalidArgument:
    return InvalidArgument(
        message, reason="PROVENANCE_UNREADABLE", hint="give the file as Tabard wrote it"
    )


def _of_picture(name: str, message: str, *, reason: str, hint: str) -> InvalidArgument:
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason=reason, hint=hint, violations=(violation,))
