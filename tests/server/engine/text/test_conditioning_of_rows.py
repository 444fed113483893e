# SPDX-License-Identifier: Apache-2.0
"""Rows of a base with a T5: what they wear in it, and prompts of several lengths in one batch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tabard_server.adapters.host_adapter import HostAdapter
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.row import Row
from tabard_server.engine.row_text import text_key
from tabard_server.engine_port.prompt_style import PromptStyle
from tests.bases import load_pipeline, make_tiny_base
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import draw

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9
STYLE = PromptStyle(windows_max=2)
LONG = "a red circle on the white, " * 40
"""More than 256 tokens of a T5."""
CHANGED = ("layer.0.SelfAttention.q", "layer.0.SelfAttention.o", "layer.1.DenseReluDense.wo")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("sd3") / "base", family="sd3")


@pytest.fixture(scope="module")
def engine(base: Path) -> Engine:
    return load_engine(EngineSettings(base=str(base), device="cpu", dtype="float64"))


@pytest.fixture(scope="module")
def changes(base: Path) -> dict[str, torch.Tensor]:
    """Down and up factors of layers in the first block of the T5."""
    generator = torch.Generator().manual_seed(9)
    encoder = load_pipeline(base).text_encoder_3.encoder.block[0]
    factors = {}
    for name in CHANGED:
        outputs, inputs = encoder.get_submodule(name).weight.shape
        stem = f"text_encoder_3.encoder.block.0.{name}"
        factors[f"{stem}.lora_A.weight"] = torch.randn(3, inputs, generator=generator) * 0.3
        factors[f"{stem}.lora_B.weight"] = torch.randn(outputs, 3, generator=generator) * 0.3
    return factors


@pytest.fixture(scope="module")
def adapter(
    engine: Engine, changes: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
) -> HostAdapter:
    """A LoRA of the T5 alone."""
    folder = tmp_path_factory.mktemp("files")
    file = folder / "t5.safetensors"
    save_file(changes, str(file))
    return pack_file(file, profile=engine.profile, folder=folder, dtype=torch.float64)


def spec(prompt: str, **options: Any) -> Any:
    """A row of this base."""
    return row_spec(
        **{"prompt": prompt, "negative_prompt": "blue", "sampler": "euler", "style": STYLE}
        | options
    )


def test_t5_wears_what_a_row_wears(
    base: Path, engine: Engine, adapter: HostAdapter, changes: dict[str, torch.Tensor]
) -> None:
    """As diffusers' pipeline reads a T5 whose weights were changed so."""
    (row,) = engine.open_rows([spec(LONG, stack=((adapter, 0.7),))])

    assert isinstance(row, Row), row
    pipe = load_pipeline(base).to(torch.float64)
    for name in CHANGED:
        stem = f"text_encoder_3.encoder.block.0.{name}"
        weight = pipe.text_encoder_3.encoder.block[0].get_submodule(name).weight
        up, down = (changes[f"{stem}.lora_{one}.weight"].double() for one in "BA")
        weight.data += 0.7 * (up @ down)
    with torch.inference_mode():
        text, away, _pooled, _away_pooled = pipe.encode_prompt(
            LONG, None, None, negative_prompt="blue", max_sequence_length=512
        )
    expected = torch.cat([away, text])
    torch.testing.assert_close(row.conditioning.text, expected, rtol=TOLERANCE, atol=TOLERANCE)
    engine.close_row(row)


def test_adapter_of_a_t5_shapes_the_text(engine: Engine, adapter: HostAdapter) -> None:
    """Rows that wear it find no text of rows that do not."""
    plain, worn = spec("a star"), spec("a star", stack=((adapter, 0.7),))
    assert text_key(plain) != text_key(worn)

    first, second, third = (engine.open_rows([one])[0] for one in (plain, worn, plain))

    assert isinstance(first, Row) and isinstance(second, Row) and isinstance(third, Row)
    assert third.conditioning is first.conditioning
    assert not torch.equal(first.conditioning.text, second.conditioning.text)
    for row in (first, second, third):
        engine.close_row(row)


def test_prompts_of_two_lengths_share_a_pass(engine: Engine, adapter: HostAdapter) -> None:
    """Each is what it is alone, whoever is longer and whatever it wears."""
    specs = [
        spec("a star"),
        spec(LONG, stack=((adapter, 0.7),), seed=5),
        spec("a star on white", seed=6, guidance_scale=1.0),
        spec(LONG, seed=7),
    ]

    together = draw(engine, specs)

    for one, mixed in zip(specs, together, strict=True):
        (alone,) = draw(engine, [one])
        torch.testing.assert_close(mixed, alone, rtol=TOLERANCE, atol=TOLERANCE)
    assert (together[0] - together[2]).abs().max() > 1e-3
