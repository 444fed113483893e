# SPDX-License-Identifier: Apache-2.0
"""A whole tiny base that wears a merged copy equals itself with slots, and plain diffusers."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, HostChange, PackedLayer, lay_out
from tabard_server.engine.base.names import classic_name
from tabard_server.engine.engine import Engine
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine_port.row_spec import RowSpec
from tests.bases import load_pipeline, make_tiny_base, text_encoders, write_diffusers_lora
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import draw
from tests.writers import write_locon, write_peft_lora

Stack = Sequence[tuple[str, float]]

STACKS: dict[str, Stack] = {
    "LoRA": [("lora", 0.7)],
    "convolutions": [("conv", -0.6)],
    "Tucker": [("tucker", 1.0)],
    "DoRA of outputs": [("dora", 0.8)],
    "DoRA of inputs": [("inputs", 0.9)],
    "one after the other": [("lora", 0.5), ("dora", 0.8), ("tucker", -0.3), ("inputs", 0.4)],
}


@dataclass(frozen=True, kw_only=True)
class Atelier:
    """One family's engine in float64, a merged copy of its models, and adapters."""

    base: Path
    engine: Engine
    merged: MergedWeights
    adapters: dict[str, HostAdapter]

    def spec(self, stack: Stack = ()) -> RowSpec:
        """A row that wears these in slots."""
        worn = tuple((self.adapters[name], weight) for name, weight in stack)
        return row_spec(stack=worn, negative_prompt="blue", steps=2)

    def draw_merged(self, stack: Sequence[tuple[HostAdapter, float]]) -> torch.Tensor:
        """Latents of a row that wears nothing, on the merged copy."""
        self.merged.merge(stack)
        # The engine does not know of it, and would find the text of the bare base again.
        self.engine._text.kept.clear()
        with self.merged.wearing(*self.engine._base.adaptable):
            found = draw(self.engine, [self.spec()])[0]
        self.engine._text.kept.clear()
        return found


def scaling_inputs(engine: Engine, *, seed: int) -> HostAdapter:
    """A DoRA of the inputs of every second layer, as older LyCORIS and OneTrainer train it."""
    generator = torch.Generator().manual_seed(seed)
    layers = {}
    for component in engine._base.adaptable:
        for name, module in sorted(engine.profile.modules[component].items())[::2]:
            columns = module.inputs * module.kernel[0] * module.kernel[1]
            layers[component, name] = PackedLayer(
                down=torch.randn(2, columns, generator=generator) * 0.2,
                up=torch.randn(2, module.outputs, generator=generator) * 0.2,
                magnitude=0.5 + torch.rand(module.inputs, generator=generator),
                magnitude_axis="inputs",
            )
    return lay_out(layers, digest="inputs", dtype=torch.float64)


@pytest.fixture(scope="module", params=["sd1", pytest.param("sdxl", marks=pytest.mark.oracle)])
def atelier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Atelier:
    folder = tmp_path_factory.mktemp(request.param)
    base = make_tiny_base(folder / "base", family=request.param)
    names = ("lora", "conv", "tucker", "dora")
    files = {name: folder / f"{name}.safetensors" for name in names}
    write_diffusers_lora(base, files["lora"], seed=1, text_targets=("q_proj", "fc1"))
    write_peft_lora(base, files["conv"], seed=2, use_dora=False)
    write_locon(base, files["tucker"], seed=3, is_tucker=True)
    write_peft_lora(base, files["dora"], seed=4)
    engine = load_engine(EngineSettings(base=str(base), device="cpu", dtype="float64"))
    adapters = {
        name: pack_file(file, profile=engine.profile, folder=folder, dtype=torch.float64)
        for name, file in files.items()
    }
    adapters["inputs"] = scaling_inputs(engine, seed=5)
    models = {name: engine._base.models[name] for name in engine._base.adaptable}
    merged = MergedWeights(models, device=torch.device("cpu"), bytes_max=None)
    return Atelier(base=base, engine=engine, merged=merged, adapters=adapters)


@pytest.mark.parametrize("name", STACKS)
def test_merged_stack_equals_slots(atelier: Atelier, name: str) -> None:
    """The same picture to 1e-9, text encoders included, and not that of the bare base."""
    stack = STACKS[name]
    (expected,) = draw(atelier.engine, [atelier.spec(stack)])
    (bare,) = draw(atelier.engine, [atelier.spec()])

    found = atelier.draw_merged([(atelier.adapters[name], weight) for name, weight in stack])

    bound = 1e-9 * float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=bound)
    assert (found - bare).abs().max() > 0.01


def test_base_draws_the_same_bytes_after_all(atelier: Atelier) -> None:
    """Any history of merged copies leaves the base and its pictures bitwise as they were."""
    models = [atelier.engine._base.models[name] for name in atelier.engine._base.adaptable]
    before = [{k: v.clone() for k, v in model.state_dict().items()} for model in models]
    (bare,) = draw(atelier.engine, [atelier.spec()])

    for stack in STACKS.values():
        atelier.draw_merged([(atelier.adapters[name], weight) for name, weight in stack])
        assert torch.equal(draw(atelier.engine, [atelier.spec()])[0], bare)

    for model, kept in zip(models, before, strict=True):
        assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())


def classic_parameter(name: str, component: str) -> str:
    """A parameter's name as the profile has it."""
    module, _, own = name.rpartition(".")
    return f"{classic_name(module, component)}.{own}"


def dense_everywhere(model: nn.Module, component: str, *, seed: int) -> HostAdapter:
    """A difference for every weight and bias of layers and norms, half of them in float16."""
    generator = torch.Generator().manual_seed(seed)
    changes = []
    for number, (name, parameter) in enumerate(model.named_parameters()):
        if "embedding" in name and component != "unet":
            continue
        diff = torch.randn(parameter.shape, generator=generator) * 0.05
        changes.append(
            HostChange(
                component=component,
                parameter=classic_parameter(name, component),
                method="dense",
                scale=1.0,
                options={},
                parts={"diff": diff.half() if number % 2 else diff},
            )
        )
    return lay_out({}, digest=f"dense {component}", changes=tuple(changes), dtype=torch.float64)


def test_dense_changes_equal_diffusers(atelier: Atelier) -> None:
    """Weights, norms and biases: plain models into which the test adds them give the same."""
    pipe = load_pipeline(atelier.base)
    plain: dict[str, Any] = {"unet": pipe.unet, **text_encoders(pipe)}
    stack = [(dense_everywhere(model, name, seed=6), 0.8) for name, model in plain.items()]
    expected = {}
    for (adapter, weight), (name, model) in zip(stack, plain.items(), strict=True):
        changed = copy.deepcopy(model).double().eval()
        for change in adapter.changes:
            own = {classic_parameter(key, name): p for key, p in changed.named_parameters()}
            own[change.parameter].data += weight * change.parts["diff"].double()
        expected[name] = changed

    atelier.merged.merge(stack)

    for name, changed in expected.items():
        with torch.no_grad():
            given = inputs_of(changed, name)
            wanted = changed(**given)[0]
            bare = atelier.engine._base.models[name](**given)[0]
            with atelier.merged.wearing(name):
                found = atelier.engine._base.models[name](**given)[0]
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
        assert (found - bare).abs().max() > 0.01


def inputs_of(model: Any, component: str) -> dict[str, Any]:
    """Something that a model takes."""
    torch.manual_seed(8)
    if component != "unet":
        return {"input_ids": torch.randint(1, 600, (2, 12))}
    width = model.config.cross_attention_dim
    given: dict[str, Any] = {
        "sample": torch.randn(2, 4, 16, 16, dtype=torch.float64),
        "timestep": torch.tensor([3, 500]),
        "encoder_hidden_states": torch.randn(2, 7, width, dtype=torch.float64),
        "return_dict": False,
    }
    if model.config.addition_embed_type:
        given["added_cond_kwargs"] = {
            "text_embeds": torch.randn(2, 24, dtype=torch.float64),
            "time_ids": torch.ones(2, 6, dtype=torch.float64),
        }
    return given
