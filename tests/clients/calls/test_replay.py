# SPDX-License-Identifier: Apache-2.0
"""From what an image says of itself to the request that makes it again, and how equal two are."""

import hashlib
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tabard import ImageFormat
from tabard.calls.call import Caller
from tabard.calls.options import write_request
from tabard.calls.replay import Remake, judge, replay
from tabard.errors import InvalidArgument
from tabard.pictures.region import Region
from tabard.result import GeneratedImage
from tabard_server.jobs.job import Written
from tabard_server.output.lossy import write_lossy
from tabard_server.output.marking import marked

CALLER = Caller(actor="ann", new_id=lambda: "1")
DIGEST = "sha256:" + "a" * 64
TOLD: dict[str, Any] = {
    "tabard": "1",
    "base": {"fingerprint": "sha256:0"},
    "stack": [{"adapter": "acme/ink", "version": "1.0.0", "digest": DIGEST, "weight": 0.8}],
    "prompt": "a cat",
    "negative_prompt": "",
    "seed": 9,
    "steps": 4,
    "guidance_scale": 5,
    "width": 8,
    "height": 8,
    "sampler": "euler",
    "deterministic": True,
}


def png_of(
    told: object = None, *, colour: int = 10, size: int = 8, level: int = 6, **texts: str
) -> bytes:
    chunks, sink = PngImagePlugin.PngInfo(), io.BytesIO()
    for name, text in texts.items():
        chunks.add_text(name, text)
    if told is not None:
        chunks.add_text("tabard", told if isinstance(told, str) else json.dumps(told))
    Image.new("RGB", (size, size), (colour, 0, 0)).save(
        sink, format="PNG", pnginfo=chunks, compress_level=level
    )
    return sink.getvalue()


def made_of(**changes: Any) -> Remake:
    return replay(CALLER, png_of(TOLD | changes))


def lossy_of(kind: ImageFormat, *, colour: int = 10, quality: int = 90, **changes: Any) -> bytes:
    told = TOLD | {"written": {"format": kind, "quality": quality}} | changes
    return write_lossy(
        np.full((8, 8, 3), colour, dtype=np.uint8),
        written=Written(format=kind, quality=quality),
        xmp=marked(is_composite=False, provenance_json=json.dumps(told)),
        parameters="",
    )


def drawn(png: bytes) -> GeneratedImage:
    return GeneratedImage(index=0, seed=9, content=png, provenance_json="{}")


def test_everything_told_is_asked_for() -> None:
    """Releases are pinned; what is not told is said, so that no default of a server counts."""
    made = made_of(clip_skip=1, original_size={"width": 2, "height": 1}, prompt_windows=3,
                   crop_top_left={"top": 5, "left": 6}, token_match="anywhere")  # fmt: skip

    options = {k: v for k, v in made.options.items() if k not in ("on_progress", "timeout_seconds")}
    request = write_request(made.prompt, options=options)

    assert [one.ref for one in request.adapters] == [f"acme/ink@{DIGEST}:0.8"]
    assert (request.seed, request.num_images, request.num_inference_steps) == (9, 1, 4)
    assert (request.clip_skip, request.prompt_windows_max, request.deterministic) == (1, 3, True)
    assert (request.original_size.width, request.original_size.height) == (2, 1)
    assert (request.crop_top_left.top, request.crop_top_left.left) == (5, 6)
    assert (request.prompt_syntax, request.token_match) == (1, 2)


def test_walk_is_asked_for_again() -> None:
    """Its spacing and schedule, or its steps one by one."""
    spaced = made_of(timestep_spacing="trailing", schedule="beta", eta=0).options
    listed = made_of(timesteps=[999, 1], sigmas=[14.5, 0]).options

    assert (spaced["timestep_spacing"], spaced["schedule"], spaced["eta"]) == (
        "trailing",
        "beta",
        0.0,
    )
    assert (listed["timesteps"], listed["sigmas"]) == ([999, 1], [14.5, 0])


def test_words_are_put_in_again() -> None:
    """The prompt is asked for as it was, so that the new file says the same."""
    made = made_of(trigger={"prompt": "a {trigger}", "auto": True, "words": ["x"]})

    assert (made.prompt, made.options["auto_trigger"]) == ("a {trigger}", True)


def test_words_are_put_into_the_negative_prompt_again() -> None:
    """That one is asked for as it was, too, wherever a release put its word there."""
    put_in = {"prompt": "a", "auto": True, "words": [], "negative_prompt": "blur"}

    made = made_of(negative_prompt="bad, blur", trigger=put_in | {"negative_words": ["bad"]})
    plain = made_of(negative_prompt="blur", trigger={"prompt": "a", "auto": True, "words": ["x"]})

    assert made.options["negative_prompt"] == "blur"
    assert plain.options["negative_prompt"] == "blur"


def test_controls_are_asked_for_again() -> None:
    """They stand behind the weight, as they are told."""
    (worn,) = TOLD["stack"]

    made = made_of(stack=[worn | {"controls": "te=0.5:end=0.6"}])

    assert made.options["adapters"] == [f"acme/ink@{DIGEST}:0.8:te=0.5:end=0.6"]


def test_recipe_is_asked_for_once() -> None:
    """Members that a recipe brought are asked for by that recipe, at its weight."""
    recipe = {"adapter": "acme/both", "version": "1.0.0", "digest": DIGEST, "weight": 0.5}
    members = [TOLD["stack"][0] | {"adapter": name, "recipe": recipe} for name in ("a/b", "a/c")]

    assert made_of(stack=members).options["adapters"] == [f"acme/both@{DIGEST}:0.5"]


def test_input_picture_is_checked() -> None:
    """The file that an image was made from must come again, byte for byte."""
    photo = png_of(colour=3)
    told = TOLD | {"image": {"sha256": hashlib.sha256(photo).hexdigest()}, "strength": 0.5}

    made = replay(CALLER, png_of(told), image=photo)
    reasons = []
    for png, given in ((told, None), (told, png_of(colour=4)), (TOLD, photo)):
        with pytest.raises(InvalidArgument) as caught:
            replay(CALLER, png_of(png), image=given)
        reasons.append(caught.value.reason)

    assert (made.options["image"], made.options["strength"]) == (photo, 0.5)
    assert reasons == ["IMAGE_NEEDED", "IMAGE_MISMATCH", "IMAGE_MISMATCH"]


@pytest.mark.parametrize(
    "told",
    [
        "{", "[]", "NaN", "[" * 100_000, '{"seed": ' + "9" * 5000 + "}", "{}",
        *({name: value for name, value in TOLD.items() if name != left} for left in TOLD
          if left not in ("tabard", "base")),
        *(TOLD | change for change in (
            {"seed": True}, {"seed": 1.5}, {"prompt": None}, {"stack": {}}, {"stack": ["x"]},
            {"stack": [{"adapter": "a/b", "digest": "1.0.0", "weight": 1}]},
            {"stack": [{"adapter": "a/b", "digest": DIGEST, "weight": "1"}]},
            {"stack": [{"recipe": 3}]}, {"guidance_scale": 10**400}, {"original_size": [1, 2]},
            {"deterministic": 1}, {"prompt_windows": "2"}, {"crop_top_left": {"top": 1}},
            {"timesteps": ["9"]}, {"sigmas": 3}, {"schedule": 1}, {"eta": "x"},
            {"trigger": "x"}, {"trigger": {"prompt": "x", "auto": 1}},
        )),
    ],
)  # fmt: skip
def test_hostile_provenance_is_refused(told: object) -> None:
    """What is missing, of another type or no JSON is one typed error."""
    with pytest.raises(InvalidArgument) as caught:
        replay(CALLER, png_of(told))

    assert caught.value.reason == "PROVENANCE_UNREADABLE"


def test_foreign_image_is_refused() -> None:
    """An image of another program says so, also where it has A1111's text."""
    for texts, says in (({}, "does not say"), ({"parameters": "a cat\nSteps: 4"}, "A1111")):
        with pytest.raises(InvalidArgument, match=says) as caught:
            replay(CALLER, png_of(**texts))
        assert caught.value.reason == "NO_PROVENANCE"


@pytest.mark.parametrize(
    ("colour", "is_deterministic", "outcome"),
    [
        (10, True, "same_pixels"),
        (11, False, "close"),
        (11, True, "different"),
        (12, False, "different"),
    ],
)
def test_outcome_follows_from_pixels(colour: int, is_deterministic: bool, outcome: str) -> None:
    """One step of 255 is what a batch may do, unless bytes were promised."""
    made = made_of(deterministic=is_deterministic, trace_id="x")
    now = TOLD | {"deterministic": is_deterministic, "base": {"fingerprint": "sha256:1"}}

    again = judge(made, drawn(png_of(now, colour=colour)))

    assert again.outcome == outcome
    assert [(d.name, d.then, d.now) for d in again.differences] == [
        ("base.fingerprint", "sha256:0", "sha256:1"),
        ("trace_id", "x", ""),
    ]
    assert again.pixels is not None and again.pixels.max == colour - 10
    assert again.pixels.mean == pytest.approx((colour - 10) / 3)


@pytest.mark.parametrize(
    ("then", "now", "named"),
    [
        ({"registry": {"seq": 3}}, {"registry": {"seq": 4}}, ("registry.seq", "3", "4")),
        ({"versions": {"torch": "1"}}, {"versions": {"torch": "2"}}, ("versions.torch", "1", "2")),
        ({"engine": {"device": "cpu"}}, {"engine": {"device": "cuda:0"}},
         ("engine.device", "cpu", "cuda:0")),
        ({"sampler": "euler"}, {"sampler": "ddim"}, ("sampler", "euler", "ddim")),
        ({"sigmas": [9.0, 0.0]}, {"sigmas": [8.0, 0.0]}, ("sigmas[0]", "9.0", "8.0")),
    ],
)  # fmt: skip
def test_every_field_that_differs_is_named(
    then: dict[str, Any], now: dict[str, Any], named: tuple[str, str, str]
) -> None:
    """Equal pixels in another file: the field that is otherwise is told, whichever it is."""
    made = made_of(deterministic=False, **then)

    again = judge(made, drawn(png_of(TOLD | {"deterministic": False} | now)))

    assert again.outcome == "same_pixels"
    assert [(d.name, d.then, d.now) for d in again.differences] == [named]


@pytest.mark.parametrize(
    ("png", "named"),
    [(png_of(TOLD, parameters="a cat"), "parameters"), (png_of(TOLD, level=1), "file")],
)
def test_other_file_is_never_without_a_difference(png: bytes, named: str) -> None:
    """Equal provenance in another file: its other texts differ, or how it is packed."""
    again = judge(replay(CALLER, png), drawn(png_of(TOLD)))

    assert again.outcome == "same_pixels"
    assert [one.name for one in again.differences] == [named]


def test_equal_file_has_no_differences() -> None:
    """The same bytes are the same file; nothing else is looked at."""
    again = judge(made_of(), drawn(png_of(TOLD)))

    assert (again.outcome, again.is_faithful, again.differences) == ("same_file", True, ())


def test_other_size_is_told() -> None:
    """A picture that was scaled afterwards is another one, and its size says why."""
    made = replay(CALLER, png_of(TOLD, size=16))

    again = judge(made, drawn(png_of(TOLD)))

    assert (again.outcome, again.pixels) == ("different", None)
    assert [(d.name, d.then, d.now) for d in again.differences] == [("pixels", "16x16", "8x8")]


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_picture_with_loss_is_written_as_it_was(kind: ImageFormat) -> None:
    """With its quality, and compared as it is written."""
    file = lossy_of(kind, quality=40)
    made = replay(CALLER, file)

    asked = {name: made.options[name] for name in ("image_format", "image_quality")}
    assert asked == {"image_format": kind, "image_quality": 40}
    assert judge(made, drawn(file)).outcome == "same_file"
    assert judge(made, drawn(lossy_of(kind, quality=40, tabard="2"))).outcome == "same_pixels"
    assert judge(made, drawn(lossy_of(kind, quality=40, colour=90))).outcome == "different"
    assert {"image_format", "image_quality"}.isdisjoint(made_of().options)


@pytest.mark.parametrize("said", [7, {}, {"quality": "high"}, {"quality": 9.5}])
def test_hostile_word_of_packing_is_refused(said: Any) -> None:
    """Before anything is asked; where nothing is said the server's own quality counts."""
    if said == {}:
        assert "image_quality" not in replay(CALLER, lossy_of("jpeg", written=said)).options
        return
    with pytest.raises(InvalidArgument) as refused:
        replay(CALLER, lossy_of("jpeg", written=said))

    assert refused.value.reason == "PROVENANCE_UNREADABLE"


MASK = png_of(colour=9)
HAT = {"name": "hat", "mask": {"sha256": hashlib.sha256(MASK).hexdigest()}}


def test_regions_are_asked_for_again() -> None:
    """Boxes from what is told; a mask from the very file."""
    left = {"name": "left", "boxes": "0,0,0.5,1", "prompt": "a dog"}
    png = png_of(TOLD | {"regions": [left, HAT]})

    made = replay(CALLER, png, region_masks={"hat": MASK})

    assert made.options["regions"] == (
        Region(name="left", boxes="0,0,0.5,1", prompt="a dog"),
        Region(name="hat", mask=MASK),
    )


@pytest.mark.parametrize(
    ("masks", "reason"),
    [
        ({}, "IMAGE_NEEDED"),
        ({"hat": png_of()}, "IMAGE_MISMATCH"),
        ({"hat": MASK, "cap": MASK}, "IMAGE_MISMATCH"),
    ],
)
def test_mask_of_a_region_is_the_very_one(masks: dict[str, bytes], reason: str) -> None:
    """Only its digest is kept."""
    with pytest.raises(InvalidArgument) as caught:
        replay(CALLER, png_of(TOLD | {"regions": [HAT]}), region_masks=masks)

    assert caught.value.reason == reason
    assert "region_masks[" in caught.value.violations[0].field


NAMED = {"name": "a"}


@pytest.mark.parametrize(
    "regions", [7, [7], [{}], [{"name": 7}], [NAMED | {"boxes": 7}], [NAMED | {"prompt": 1}]]
)
def test_regions_that_cannot_be_are_refused(regions: Any) -> None:
    """A file of anybody says anything."""
    with pytest.raises(InvalidArgument) as caught:
        made_of(regions=regions)

    assert caught.value.reason == "PROVENANCE_UNREADABLE"
