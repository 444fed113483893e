# SPDX-License-Identifier: Apache-2.0
"""What SD3.5's and Flux's networks are told, against diffusers' own `encode_prompt`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
import transformers

from tabard_server.engine.base.loading import TextPart
from tabard_server.engine.base.text_layout import FLUX, SD3, TextLayout
from tabard_server.engine.text.conditioning import (
    Conditioner,
    Conditioning,
    Placeholders,
    Prompt,
    join_parts,
)
from tabard_server.engine_port.errors import AdapterMismatch, PromptTooLong, RowNotPossible
from tabard_server.engine_port.prompt_style import PLAIN, PromptStyle
from tests.server.engine.text import tiny_t5
from tests.tiny_models import tiny_tokenizer

TOLERANCE = 1e-12
WIDTH = 64
CLIP_WIDTHS = (16, 24)
PROMPT = "a red circle on the blue square, of white stars"
LONG = "a red circle, " * 70
"""280 tokens and one, for a T5; a window of CLIP many times over."""
WIDE = PromptStyle(windows_max=2)
WEIGHTED = PromptStyle(syntax="a1111", windows_max=4)


@dataclass
class Stage:
    """A tiny pipeline of diffusers, and our conditioner over the same encoders."""

    pipeline: Any
    conditioner: Conditioner
    worn: list[tuple[str, int]] = field(default_factory=list)

    @torch.inference_mode()
    def encode(self, *prompts: Prompt | str, **options: Any) -> Conditioning:
        """Encode prompts as one row."""
        read = [Prompt(text=one) if isinstance(one, str) else one for one in prompts]
        known: Placeholders = options.pop("placeholders", {})
        return self.conditioner.encode(read, placeholders=known, wearing=self.wearing, **options)

    @contextmanager
    def wearing(self, component: str, sequences: int) -> Iterator[None]:
        """Note for what adapters would be worn."""
        self.worn.append((component, sequences))
        yield


def open_stage(layout: TextLayout, *, has_t5: bool = True) -> Stage:
    """Make the encoders, and both sides over them."""
    torch.manual_seed(5)
    tokenizer = tiny_tokenizer()
    t5_tokenizer = tiny_t5.tokenizer()
    t5 = tiny_t5.new_encoder(7, WIDTH).double() if has_t5 else None
    transformer = SimpleNamespace(
        config=SimpleNamespace(joint_attention_dim=WIDTH, sample_size=16, patch_size=1)
    )
    if layout is SD3:
        clips = [_clip(tokenizer, width=width, is_projecting=True) for width in CLIP_WIDTHS]
        second = tiny_tokenizer(pad_token="!")
        pipeline = _bare(
            diffusers.StableDiffusion3Pipeline,
            text_encoder=clips[0],
            text_encoder_2=clips[1],
            text_encoder_3=t5,
            tokenizer=tokenizer,
            tokenizer_2=second,
            tokenizer_3=t5_tokenizer,
            transformer=transformer,
        )
        tokenizers = [tokenizer, second, t5_tokenizer]
    else:
        clips = [_clip(tokenizer, width=CLIP_WIDTHS[0], is_projecting=False)]
        pipeline = _bare(
            diffusers.FluxPipeline,
            text_encoder=clips[0],
            text_encoder_2=t5,
            tokenizer=tokenizer,
            tokenizer_2=t5_tokenizer,
            transformer=transformer,
        )
        tokenizers = [tokenizer, t5_tokenizer]
    names = ("text_encoder", "text_encoder_2", "text_encoder_3")
    models = [*clips, *([] if t5 is None else [t5])]
    parts = [
        TextPart(component=name, model=model, tokenizer=one)
        for name, model, one in zip(names, models, tokenizers, strict=False)
    ]
    base: Any = SimpleNamespace(
        text_parts=tuple(parts),
        text_layout=layout,
        network=SimpleNamespace(text_width=WIDTH),
    )
    return Stage(pipeline=pipeline, conditioner=Conditioner(base))


@pytest.fixture(scope="module")
def sd3() -> Stage:
    return open_stage(SD3)


@pytest.fixture(scope="module")
def light_sd3() -> Stage:
    """SD3.5 as many people run it, without its T5."""
    return open_stage(SD3, has_t5=False)


@pytest.fixture(scope="module")
def flux() -> Stage:
    return open_stage(FLUX)


@torch.inference_mode()
def expect_sd3(stage: Stage, prompt: str, away: str = "", **options: Any) -> Conditioning:
    """Return what diffusers comes to, the negative prompt first."""
    text, away_text, pooled, away_pooled = stage.pipeline.encode_prompt(
        prompt, None, None, negative_prompt=away, device=torch.device("cpu"), **options
    )
    return Conditioning(text=torch.cat([away_text, text]), pooled=torch.cat([away_pooled, pooled]))


def assert_same(found: Conditioning, expected: Conditioning) -> None:
    """Compare words and summaries, which are told to the network in full."""
    torch.testing.assert_close(found.text, expected.text, rtol=TOLERANCE, atol=TOLERANCE)
    assert found.pooled is not None and expected.pooled is not None
    torch.testing.assert_close(found.pooled, expected.pooled, rtol=TOLERANCE, atol=TOLERANCE)
    assert found.mask is None


@pytest.mark.parametrize("clip_skip", [0, 1])
def test_sd3_equals_diffusers(sd3: Stage, clip_skip: int) -> None:
    """Two CLIPs and a T5; layers are skipped by the prompt, in the CLIPs alone."""
    found = sd3.encode("blue", Prompt(text=PROMPT, clip_skip=clip_skip))

    assert found.text.shape == (2, 32 + 256, WIDTH)
    assert_same(found, expect_sd3(sd3, PROMPT, "blue", clip_skip=clip_skip or None))


def test_sd3_without_t5_equals_diffusers(light_sd3: Stage) -> None:
    """Zeros stand where the T5 is not."""
    found = light_sd3.encode("blue", PROMPT)

    assert_same(found, expect_sd3(light_sd3, PROMPT, "blue"))
    assert not found.text[:, 32:].any()


def test_long_prompt_of_sd3_equals_diffusers(sd3: Stage) -> None:
    """Who allows two windows gets 512 tokens of the T5, and CLIP reads the beginning."""
    found = sd3.encode("blue", LONG, style=WIDE)

    assert_same(found, expect_sd3(sd3, LONG, "blue", max_sequence_length=512))


def test_flux_equals_diffusers(flux: Stage) -> None:
    """The T5 alone is read, and CLIP sums the text up."""
    for prompt in (PROMPT, LONG, ""):
        found = flux.encode(prompt)

        with torch.inference_mode():
            text, pooled, _ids = flux.pipeline.encode_prompt(prompt, None, torch.device("cpu"))
        assert found.text.shape == (1, 512, WIDTH)
        assert_same(found, Conditioning(text=text, pooled=pooled))


@pytest.mark.parametrize(
    ("layout", "style", "most"), [(SD3, PLAIN, 255), (SD3, WEIGHTED, 511), (FLUX, PLAIN, 511)]
)
def test_prompt_beyond_t5_is_refused(layout: TextLayout, style: PromptStyle, most: int) -> None:
    """Nothing is cut off in silence; what fits to the last token is read."""
    stage = open_stage(layout)
    stage.encode("a " * most, style=style)

    with pytest.raises(PromptTooLong, match=f"{most + 1} tokens of T5's, which reads {most}"):
        stage.encode("a " * (most + 1), style=style)


def test_prompt_beyond_clip_needs_windows(light_sd3: Stage) -> None:
    """Without a T5 the CLIPs bound a prompt, as in other families."""
    with pytest.raises(PromptTooLong, match="windows"):
        light_sd3.encode(LONG)

    found = light_sd3.encode("a star, " * 12, style=WEIGHTED)
    assert found.text.shape[1] == 2 * 32 + 256


def test_each_encoder_wears_for_its_own_sequences(sd3: Stage, light_sd3: Stage) -> None:
    """A T5 reads two windows as one sequence, CLIP one sequence for each window."""
    sd3.worn.clear()
    sd3.encode("", LONG, style=WIDE)
    light_sd3.worn.clear()
    light_sd3.encode("", "a star, " * 12, style=WEIGHTED)

    assert sd3.worn == [(f"text_encoder{n}", 2) for n in ("", "_2", "_3")]
    assert light_sd3.worn == [(f"text_encoder{n}", 4) for n in ("", "_2")]


def test_weights_act_in_every_encoder(sd3: Stage) -> None:
    """A weight multiplies the tokens of a word wherever they are, and the mean comes back."""
    plain = sd3.encode("a red circle").text[0]
    weighed = sd3.encode("a (red:1.5) circle", style=WEIGHTED).text[0]

    first, second = CLIP_WIDTHS
    for words, width, token in (
        (slice(0, 32), slice(0, first), 2),
        (slice(0, 32), slice(first, first + second), 2),
        (slice(32, 288), slice(WIDTH), 1),
    ):
        before, after = plain[words, width], weighed[words, width]
        factor = torch.ones(len(before), 1, dtype=before.dtype)
        factor[token] = 1.5
        expected = before * factor
        torch.testing.assert_close(after, expected * (before.mean() / expected.mean()))
    unweighed = sd3.encode("a (red:1.0) circle", style=WEIGHTED)
    assert torch.equal(unweighed.text[0], plain)


def test_taught_word_is_read_by_the_clips(sd3: Stage) -> None:
    """Vectors of known words are those words; the T5 reads the placeholder as it is written."""
    known: dict[str, dict[str, torch.Tensor]] = {}
    for encoder in sd3.conditioner._clips:
        ids = encoder._reader._tokenizer("red circle", add_special_tokens=False).input_ids
        known[encoder.component] = {"<it>": encoder._embedding.weight[ids]}

    found = sd3.encode("a <it> on white", placeholders=known)

    words, name = sd3.encode("a red circle on white"), sd3.encode("a <it> on white")
    torch.testing.assert_close(found.text[:, :32], words.text[:, :32])
    assert torch.equal(found.text[:, 32:], name.text[:, 32:])
    assert found.pooled is not None and words.pooled is not None
    torch.testing.assert_close(found.pooled, words.pooled)


@pytest.mark.parametrize(("layout", "name"), [(SD3, "text_encoder_3"), (FLUX, "text_encoder_2")])
def test_word_taught_to_a_t5_is_refused(layout: TextLayout, name: str) -> None:
    """It would act nowhere, in silence."""
    taught = {name: {"<it>": torch.zeros(1, WIDTH)}}

    with pytest.raises(AdapterMismatch, match="<it> is taught to the T5"):
        open_stage(layout).encode("a <it>", placeholders=taught)


def test_clip_skip_is_bounded_by_the_clips(sd3: Stage, flux: Stage) -> None:
    """Flux reads no states of its CLIP, so that none can be left out."""
    assert sd3.conditioner.clip_skip_max == 2
    assert flux.conditioner.clip_skip_max == 0

    with pytest.raises(RowNotPossible) as caught:
        flux.encode(Prompt(text=PROMPT, clip_skip=1))

    assert caught.value.reason == "CLIP_SKIP_OUT_OF_RANGE"


def test_parts_of_a_row_are_padded(sd3: Stage) -> None:
    """Regions of one picture may say more and less; what is nobody's is marked."""
    short, long = sd3.encode("", PROMPT), sd3.encode("", LONG, style=WIDE)

    row = join_parts([short, long], is_masked=True)

    assert row.mask is not None and row.pooled is not None
    assert row.mask.sum(dim=1).tolist() == [288, 288, 544, 544]
    assert torch.equal(row.text[:2, :288], short.text)
    assert torch.equal(row.text[2:], long.text)
    assert len(row.pooled) == 4


def _clip(tokenizer: Any, *, width: int, is_projecting: bool) -> Any:
    model = (
        transformers.CLIPTextModelWithProjection if is_projecting else transformers.CLIPTextModel
    )
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=12,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    made = model(config).double().eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return made


def _bare(pipeline_class: Any, **parts: Any) -> Any:
    """Return a pipeline that can encode prompts; it checks only a complete one."""
    pipeline = pipeline_class.__new__(pipeline_class)
    for name, part in parts.items():
        object.__setattr__(pipeline, name, part)
    object.__setattr__(pipeline, "tokenizer_max_length", parts["tokenizer"].model_max_length)
    return pipeline
