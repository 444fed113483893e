# SPDX-License-Identifier: Apache-2.0
from contextlib import nullcontext

import pytest
import torch

from tabard_server.engine.text.conditioning import Conditioning, Prompt
from tabard_server.engine_port.errors import RowNotPossible
from tabard_server.engine_port.prompt_style import PromptStyle
from tests.server.engine.tiny_base import TOKEN, Studio, draw, open_studio

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
WEIGHTED = PromptStyle(syntax="a1111", windows_max=3)
LONG = "a red circle, " * 12


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return open_studio(tmp_path_factory.mktemp("sdxl"), family="sdxl")


@torch.inference_mode()
def _encode(studio: Studio, *texts: str, style: PromptStyle = WEIGHTED) -> Conditioning:
    known: dict[str, dict[str, torch.Tensor]] = {}
    for tokens in studio.adapters["inversion"].tokens:
        known.setdefault(tokens.component, {})[tokens.token] = tokens.vectors
    return studio.engine._text._conditioner.encode(
        [Prompt(text=text) for text in texts],
        placeholders=known,
        wearing=lambda *_: nullcontext(),
        style=style,
    )


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_clip_skip_equals_diffusers(studio: Studio, clip_skip: int) -> None:
    """Layers are skipped as diffusers does it: by the prompt, not by the negative prompt."""
    stack = {"text": 0.8, "inversion": 1.0}
    spec = studio.spec(stack, clip_skip=clip_skip)

    skipped, plain = draw(studio.engine, [spec, studio.spec(stack)])

    (expected,) = studio.expect(stack, [spec])
    torch.testing.assert_close(skipped, expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert (skipped - plain).abs().max() > 0.001


@pytest.mark.parametrize("family", ["sd1", "sd2"])
def test_small_families_skip_as_diffusers_means(
    family: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The last norm follows whichever layer is the last one read."""
    small = open_studio(tmp_path_factory.mktemp(family), family=family)
    encoder = small.oracle.pipe.text_encoder
    # diffusers still looks for a level that transformers has taken out of this class.
    object.__setattr__(encoder, "text_model", encoder)
    spec = small.spec({}, clip_skip=1)

    skipped, plain = draw(small.engine, [spec, small.spec({})])

    (expected,) = small.expect({}, [spec])
    torch.testing.assert_close(skipped, expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert (skipped - plain).abs().max() > 0.001


def test_too_many_skipped_layers_are_refused(studio: Studio) -> None:
    """An encoder keeps at least one layer."""
    (error,) = studio.engine.open_rows([studio.spec({}, clip_skip=9)])

    assert isinstance(error, RowNotPossible)
    assert error.reason == "CLIP_SKIP_OUT_OF_RANGE"


def test_windows_are_encoded_one_by_one(studio: Studio) -> None:
    """A long prompt is its windows side by side, summed up by the first."""
    first, second = "a red circle", "a blue star"

    both = _encode(studio, f"{first} BREAK {second}")

    parts = [_encode(studio, text) for text in (first, second)]
    torch.testing.assert_close(both.text, torch.cat([p.text for p in parts], dim=1))
    assert both.pooled is not None and parts[0].pooled is not None
    torch.testing.assert_close(both.pooled, parts[0].pooled)


def test_shorter_prompt_gets_empty_windows(studio: Studio) -> None:
    """Both samples of a row are equally long; the shorter one goes on with nothing."""
    both = _encode(studio, "a star", LONG)

    length = _encode(studio, "").text.shape[1]
    torch.testing.assert_close(both.text[0, length : 2 * length], _encode(studio, "").text[0])
    assert both.text.shape[1] > length


def test_weights_move_only_their_tokens(studio: Studio) -> None:
    """A weight multiplies its tokens, and each encoder's mean over the window comes back."""
    plain = _encode(studio, f"a red {TOKEN} circle").text
    weighed = _encode(studio, f"a red ({TOKEN}:1.5) circle").text

    for part in (slice(0, 32), slice(32, 80)):
        before, after = plain[0, :, part], weighed[0, :, part]
        factor = torch.ones(len(before), 1, dtype=before.dtype)
        factor[3:5] = 1.5
        expected = before * factor
        expected = expected * (before.mean() / expected.mean())
        torch.testing.assert_close(after, expected)


def test_weight_of_one_changes_nothing(studio: Studio) -> None:
    """`(word:1)` is the word, to the bit; so is every window without a weight."""
    plain = _encode(studio, "a red circle BREAK a star").text
    weighed = _encode(studio, "a (red:1) circle BREAK (a star:1.0)").text
    partly = _encode(studio, "a red circle BREAK (a star:1.3)").text

    assert torch.equal(plain, weighed)
    length = plain.shape[1] // 2
    assert torch.equal(plain[:, :length], partly[:, :length])
    assert not torch.equal(plain, partly)


def test_long_neighbour_changes_nothing(studio: Studio) -> None:
    """Rows of one, two and three windows share a pass, and each is what it is alone."""
    style = PromptStyle(syntax="a1111", windows_max=3)
    prompts = ("a star", "a star BREAK a (circle:1.4)", f"a {TOKEN} BREAK b BREAK [c]")
    specs = [studio.spec({"inversion": 1.0}, prompt=text, style=style) for text in prompts]

    together = draw(studio.engine, specs)

    for spec, mixed in zip(specs, together, strict=True):
        lone = draw(studio.engine, [spec])[0]
        torch.testing.assert_close(mixed, lone, rtol=TOLERANCE, atol=TOLERANCE)
    assert (together[0] - together[1]).abs().max() > 0.001


def test_virtual_token_is_not_the_end_of_text(studio: Studio) -> None:
    """Early configs name a wrong end of text; placeholders must not be taken for it."""
    config = studio.engine._base.text_parts[1].model.config
    expected = _encode(studio, f"a {TOKEN} circle").pooled

    end, config.eos_token_id = config.eos_token_id, 2
    try:
        found = _encode(studio, f"a {TOKEN} circle").pooled
    finally:
        config.eos_token_id = end

    assert expected is not None and found is not None
    torch.testing.assert_close(found, expected)
