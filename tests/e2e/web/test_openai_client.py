# SPDX-License-Identifier: Apache-2.0
"""OpenAI's own Python client, in front of a real server: images, edits, streams, models, errors."""

import base64
import io
import json
from collections.abc import Iterator

import openai
import pytest
from PIL import Image

from tabard import Client
from tabard.pictures.words import read_words

STEPS = {"num_inference_steps": 6, "seed": 7, "deterministic": True}


@pytest.fixture(scope="module")
def tool(gateway: str) -> Iterator[openai.OpenAI]:
    """The client as people set it up: with a key, which a server without identity does not read."""
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key="none", max_retries=0) as client:
        yield client


def file_of(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format="PNG")
    return sink.getvalue()


def decoded(image: openai.types.Image) -> bytes:
    assert image.b64_json is not None
    return base64.b64decode(image.b64_json)


def test_image_is_the_one_that_the_sdk_gets(tool: openai.OpenAI, styled_client: Client) -> None:
    """To the byte: the door adds nothing and takes nothing away."""
    answer = tool.images.generate(
        prompt="a cat", model="acme/ink:0.8+acme/pen:0.4", n=2, size="64x64", extra_body=STEPS
    )
    wanted = styled_client.generate(
        "a cat",
        adapters=["acme/ink:0.8", "acme/pen:0.4"],
        num_images=2,
        width=64,
        height=64,
        **STEPS,  # type: ignore[arg-type]
    )

    assert answer.data is not None
    assert [decoded(one) for one in answer.data] == [one.content for one in wanted.images]


def test_inert_parameters_change_nothing(tool: openai.OpenAI) -> None:
    """Those that clients always send."""
    plain = tool.images.generate(prompt="a cat", extra_body=STEPS)
    polite = tool.images.generate(
        prompt="a cat",
        model="base",
        user="ann",
        quality="auto",
        background="auto",
        moderation="auto",
        size="auto",
        response_format="b64_json",
        extra_body=STEPS,
    )

    assert plain.data is not None and polite.data is not None
    assert decoded(plain.data[0]) == decoded(polite.data[0])


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats_say_how_they_were_made(tool: openai.OpenAI, kind: str) -> None:
    """The same words as in the PNG, where tools look for them."""
    answer = tool.images.generate(
        prompt="a (cat), 猫",
        model="acme/ink",
        output_format=kind,  # type: ignore[arg-type]
        output_compression=90,
        extra_body=STEPS,
    )
    png = tool.images.generate(prompt="a (cat), 猫", model="acme/ink", extra_body=STEPS)

    assert answer.data is not None and png.data is not None
    assert answer.output_format == kind
    words, said = (read_words(decoded(one.data[0])) for one in (answer, png))
    told, wanted = json.loads(words["tabard"]), json.loads(said["tabard"])
    assert words["parameters"] == said["parameters"]
    assert told.pop("written") == {"format": kind, "quality": 90}
    assert told == wanted
    assert told["stack"][0]["adapter"] == "acme/ink"


def test_stream_has_partial_images(tool: openai.OpenAI) -> None:
    """Looks at what is not finished, then the image that is drawn without them."""
    whole = tool.images.generate(prompt="a cat", model="acme/ink", extra_body=STEPS)
    with tool.images.generate(
        prompt="a cat", model="acme/ink", stream=True, partial_images=2, extra_body=STEPS
    ) as stream:
        events = list(stream)

    assert [one.type for one in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    pictures = [base64.b64decode(one.b64_json) for one in events]
    assert whole.data is not None
    assert pictures[-1] == decoded(whole.data[0])
    for picture in pictures[:-1]:
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "PNG"


def test_edit_keeps_what_the_mask_covers(tool: openai.OpenAI, styled_client: Client) -> None:
    """Where OpenAI's mask is opaque the picture stays; as the SDK says it in black and white."""
    picture = file_of(Image.linear_gradient("L").resize((64, 64)).convert("RGB"))
    mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 64, 32))
    white = Image.new("L", (64, 64), 0)
    white.paste(255, (0, 0, 64, 32))

    answer = tool.images.edit(
        prompt="a cat",
        image=("a.png", picture),
        mask=("m.png", file_of(mask)),
        model="acme/ink",
        extra_body=STEPS | {"strength": 0.7},
    )
    wanted = styled_client.generate(
        "a cat",
        adapters="acme/ink",
        image=picture,
        mask_image=file_of(white),
        strength=0.7,
        **STEPS,  # type: ignore[arg-type]
    )

    assert answer.data is not None
    with Image.open(io.BytesIO(decoded(answer.data[0]))) as image:
        assert image.convert("RGB").tobytes() == wanted.images[0].pil.convert("RGB").tobytes()


def test_edit_of_a_list_streams(tool: openai.OpenAI) -> None:
    """A list of one picture is one; events have the names of edits."""
    picture = file_of(Image.new("RGB", (64, 64), "white"))

    with tool.images.edit(
        prompt="a cat",
        image=[("a.png", picture)],
        stream=True,
        partial_images=1,
        extra_body=STEPS | {"strength": 1.0},
    ) as stream:
        kinds = [one.type for one in stream]

    assert kinds == ["image_edit.partial_image", "image_edit.completed"]


def test_models_are_listed(tool: openai.OpenAI) -> None:
    """Every channel of every line, and the base."""
    found = [one.id for one in tool.models.list()]

    assert found[0] == "base"
    assert {"acme/ink", "acme/ink@beta", "acme/pen", "other/pen", "acme/plum"} <= {*found}
    assert tool.models.retrieve("acme/ink@^1").owned_by == "acme"


@pytest.mark.parametrize(
    ("model", "code", "reason"),
    [
        ("dall-e-3", "model_not_found", "MODEL_UNKNOWN"),
        ("acme/none", "model_not_found", "ADAPTER_NOT_FOUND"),
        ("acme/ink@9.0.0", "model_not_found", "RELEASE_NOT_FOUND"),
    ],
)
def test_unknown_model_is_not_found(
    tool: openai.OpenAI, model: str, code: str, reason: str
) -> None:
    """The client's own error, with the server's words."""
    with pytest.raises(openai.NotFoundError) as refused:
        tool.images.generate(prompt="a cat", model=model)

    assert refused.value.code == code
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["reason"] == reason


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"size": "100000x64"}, "size"),
        ({"size": "65x64"}, "size"),
        ({"n": 1000}, "n"),
        ({"quality": "hd"}, "quality"),
        ({"style": "vivid"}, "style"),
        ({"response_format": "hex"}, "response_format"),
        ({"model": "Acme Ink/x"}, "model"),
        ({"model": "acme/ink:9"}, "model"),
        ({"extra_body": {"num_inference_steps": 100_000}}, "num_inference_steps"),
    ],
)
def test_wrong_parameters_are_refused_by_name(
    tool: openai.OpenAI, said: dict[str, object], name: str
) -> None:
    """By OpenAI's name, whoever refuses them: the door, the SDK or the server."""
    with pytest.raises(openai.BadRequestError) as refused:
        tool.images.generate(prompt="a cat", **said)  # type: ignore[call-overload]

    assert refused.value.param == name


def test_prompt_that_is_too_long_fails_in_a_stream(tool: openai.OpenAI) -> None:
    """Before its first event, as it would without one."""
    with pytest.raises(openai.BadRequestError, match="prompt"):
        tool.images.generate(prompt="cat " * 200, stream=True)
