# SPDX-License-Identifier: Apache-2.0
"""Words that are nobody's change nothing, in transformers as diffusers' own tests build them."""

from typing import Any

import diffusers
import pytest
import torch
from diffusers.models.attention_processor import JointAttnProcessor2_0

from tabard_server.engine.networks.joint_attention import attention_mask, obey_masks
from tabard_server.engine.text.row_lengths import pad_texts

TOLERANCE = 1e-9
SIDE = 8
WIDTH, POOLED = 32, 64
LENGTHS = (5, 12, 9)
SD3 = {
    "sample_size": 32,
    "patch_size": 1,
    "in_channels": 4,
    "num_layers": 3,
    "attention_head_dim": 8,
    "num_attention_heads": 4,
    "caption_projection_dim": WIDTH,
    "joint_attention_dim": WIDTH,
    "pooled_projection_dim": POOLED,
    "out_channels": 4,
    "pos_embed_max_size": 96,
    "dual_attention_layers": (0,),
    "qk_norm": "rms_norm",
}
"""SD3.5's: a layer in which the picture looks at itself as well, and normed queries and keys."""
FLUX = {
    "patch_size": 1,
    "in_channels": 4,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "pooled_projection_dim": POOLED,
    "axes_dims_rope": [4, 4, 8],
}


def _new(model_class: Any, **config: Any) -> Any:
    torch.manual_seed(3)
    return model_class(**config).double().eval()


def _sd3(model: Any, text: torch.Tensor, *, first: int, mask: Any = None) -> torch.Tensor:
    """Run SD3 on so many samples, of which `first` is the first."""
    latents, pooled, times = _inputs(first, len(text), shape=(4, SIDE, SIDE))
    told = mask is not None and attention_mask(mask, image_tokens=SIDE**2, is_text_first=False)
    return model(  # type: ignore[no-any-return]
        latents, text, pooled, 1000 * times, joint_attention_kwargs=told or None, return_dict=False
    )[0]


def _flux(model: Any, text: torch.Tensor, *, first: int, mask: Any = None) -> torch.Tensor:
    latents, pooled, times = _inputs(first, len(text), shape=(SIDE**2, 4))
    told = mask is not None and attention_mask(mask, image_tokens=SIDE**2, is_text_first=True)
    places = torch.cartesian_prod(torch.tensor([0]), torch.arange(SIDE), torch.arange(SIDE))
    return model(  # type: ignore[no-any-return]
        latents,
        text,
        pooled,
        times,
        img_ids=places.double(),
        txt_ids=torch.zeros(text.shape[1], 3, dtype=torch.float64),
        joint_attention_kwargs=told or None,
        return_dict=False,
    )[0]


RUNS = {
    "sd3": (diffusers.SD3Transformer2DModel, SD3, _sd3),
    "sd3_plain": (
        diffusers.SD3Transformer2DModel,
        SD3 | {"dual_attention_layers": (), "qk_norm": None},
        _sd3,
    ),
    "flux": (diffusers.FluxTransformer2DModel, FLUX, _flux),
}


@torch.inference_mode()
@pytest.mark.parametrize("kind", RUNS)
def test_masked_batch_equals_each_alone(kind: str) -> None:
    """Prompts of three lengths share a pass, and each comes to what it comes to alone."""
    model_class, config, run = RUNS[kind]
    model, texts = _new(model_class, **config), _texts()
    alone = [run(model, text, first=number) for number, text in enumerate(texts)]
    padded, mask = pad_texts(texts)
    # What lies in the padding is nobody's business, so that it need not even be nothing.
    assert mask is not None
    padded[~mask] = 7.0
    if kind != "flux":
        obey_masks(model)

    together = run(model, padded, first=0, mask=mask)

    torch.testing.assert_close(together, torch.cat(alone), rtol=TOLERANCE, atol=TOLERANCE)
    unmasked = run(model, padded, first=0)
    assert (unmasked[0] - together[0]).abs().max() > 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["sd3", "sd3_plain"])
def test_unmasked_pass_is_the_librarys(kind: str) -> None:
    """Where all prompts are equally long nothing changes, to the bit."""
    model_class, config, _run = RUNS[kind]
    model = _new(model_class, **config).float()
    text = torch.cat([_texts()[1]] * 2).float()
    latents, pooled, times = (one.float() for one in _inputs(0, 2, shape=(4, SIDE, SIDE)))

    def step() -> torch.Tensor:
        return model(latents, text, pooled, times, return_dict=False)[0]  # type: ignore[no-any-return]

    expected = step()
    obey_masks(model)

    assert torch.equal(step(), expected)


@torch.inference_mode()
def test_librarys_processor_passes_over_a_mask() -> None:
    """The reason for a processor of our own; when this fails, it can go."""
    model, text = _new(diffusers.SD3Transformer2DModel, **SD3), _texts()[1]
    mask = torch.ones(1, text.shape[1], dtype=torch.bool)
    mask[:, 4:] = False
    assert all(isinstance(one, JointAttnProcessor2_0) for one in model.attn_processors.values())

    masked = _sd3(model, text, first=0, mask=mask)

    assert torch.equal(masked, _sd3(model, text, first=0))


def test_mask_lies_where_the_words_lie() -> None:
    """Flux's words come before the picture, SD3's behind it."""
    mask = torch.tensor([[True, False]])

    first = attention_mask(mask, image_tokens=2, is_text_first=True)["attention_mask"]
    behind = attention_mask(mask, image_tokens=2, is_text_first=False)["attention_mask"]

    assert first.shape == (1, 1, 1, 4)
    assert first.flatten().tolist() == [True, False, True, True]
    assert behind.flatten().tolist() == [True, True, True, False]


def _texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(1, length, WIDTH, generator=generator, dtype=torch.float64)
        for length in LENGTHS
    ]


def _inputs(first: int, count: int, *, shape: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
    """Return latents, summaries and times of samples, each the same in every batch."""

    def drawn(number: int, size: tuple[int, ...]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(number)
        return torch.randn(size, generator=generator, dtype=torch.float64)

    numbers = range(first, first + count)
    return (
        torch.stack([drawn(number, shape) for number in numbers]),
        torch.stack([drawn(10 + number, (POOLED,)) for number in numbers]),
        torch.tensor([0.9, 0.4, 0.1], dtype=torch.float64)[first : first + count],
    )
