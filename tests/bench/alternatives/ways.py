# SPDX-License-Identifier: Apache-2.0
"""Ways to run one UNet on a CPU: what a user would pick instead, and Tabard's own.

In: a UNet of diffusers and what it is given. Out: for each way a call that gives its prediction.
All get one thread. A way whose package is not here says so by its name, and nothing is skipped.
"""

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from tabard_server.adapters.host_adapter import HostAdapter, PackedLayer, lay_out
from tabard_server.engine.compiled.build import build
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.compiled.library import tensors_of
from tabard_server.engine.compiled.openvino_graph import OpenVinoGraph, import_openvino
from tabard_server.engine.compiled.order import BaseOrder, Order
from tabard_server.engine.merged.merged_copy import MergedWeights
from tabard_server.engine.slots.binding import COMPILED_RANK_BUCKETS, bind_rows
from tabard_server.engine.slots.packed_weights import PackedWeights
from tabard_server.engine.slots.slotted_layers import make_tables
from tabard_server.engine_port.costs import OPENVINO
from tests.bench import full_size

CPU = torch.device("cpu")
WEIGHT = 0.8
SAMPLES = 2

Predict = Callable[[], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One UNet, and what every way is given.

    Attributes:
        config: Of the UNet.
        unet: As diffusers makes it, in float32, its weights as they are stored.
        inputs: Samples, timesteps and text, by position; where it is told of sizes, those behind.
        folder: For files of a way.
    """

    config: Mapping[str, Any]
    unet: UNet2DConditionModel
    inputs: tuple[torch.Tensor, ...]
    folder: Path

    def twin(self) -> UNet2DConditionModel:
        """Return another model around the same weights, as far as nobody lays them out anew."""
        return full_size.twin_of(self.unet, config=dict(self.config))

    def adapters(self, *, count: int = SAMPLES, rank: int = full_size.RANK) -> list[HostAdapter]:
        """Return adapters of the transformer layers."""
        profile = full_size.profile_of(self.unet)
        return [_adapter(profile, seed=seed, rank=rank) for seed in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way.

    Attributes:
        name: What the table calls it.
        prepare: Makes the call.
        needs: Packages that Tabard does not have.
        wears: Whether its samples wear an adapter each (`rows`), one for all (`one`) or none.
    """

    name: str
    prepare: Callable[[Scene], Predict]
    needs: tuple[str, ...] = ()
    wears: str = ""

    def lacks(self) -> list[str]:
        """Return which of its packages are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def new_scene(
    folder: Path, *, config: Mapping[str, Any], side: int, samples: int = SAMPLES
) -> Scene:
    """Make a UNet of random weights and inputs for it; `side` of the latents."""
    generator = torch.Generator().manual_seed(1)
    unet = full_size.new_unet(dtype=torch.float32, device=CPU, config=dict(config))
    let_through(unet, generator)
    text = torch.randn(samples, 77, config["cross_attention_dim"], generator=generator)
    return Scene(
        config=config,
        unet=unet,
        inputs=(
            torch.randn(samples, 4, side, side, generator=generator),
            torch.full((samples,), 500),
            text,
            *_added(config, samples, generator),
        ),
        folder=folder,
    )


def references(scene: Scene) -> dict[str, torch.Tensor]:
    """Return what diffusers alone predicts, by what samples wear: W + weight * B A, in float32."""
    found = {"": _eager(scene)()}
    worn = [_merged_by_hand(scene, adapter) for adapter in scene.adapters()]
    found["one"] = worn[0]
    found["rows"] = torch.stack([one[sample] for sample, one in enumerate(worn)])
    return found


def _added(
    config: Mapping[str, Any], samples: int, generator: torch.Generator
) -> list[torch.Tensor]:
    if config.get("addition_embed_type") != "text_time":
        return []
    pooled = torch.randn(samples, full_size.POOLED_WIDTH, generator=generator)
    return [pooled, torch.full((samples, 6), 128.0)]


def let_through(unet: nn.Module, generator: torch.Generator) -> None:
    """Scale weights so that what comes in is seen in what comes out, as of a model that learnt."""
    for module in unet.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.weight.normal_(0, module.weight[0].numel() ** -0.5, generator=generator)
        elif isinstance(module, nn.GroupNorm | nn.LayerNorm):
            nn.init.ones_(module.weight)


class _Plain(nn.Module):
    """A UNet that takes and gives tensors alone, for those who trace it."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet
        self.eval()

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        text: torch.Tensor,
        pooled: torch.Tensor | None = None,
        sizes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        found: torch.Tensor = self.unet(
            sample,
            timestep,
            encoder_hidden_states=text,
            added_cond_kwargs=None if pooled is None else _told(pooled, sizes),
            return_dict=False,
        )[0]
        return found


def _told(pooled: torch.Tensor, sizes: torch.Tensor | None) -> dict[str, torch.Tensor | None]:
    return {"text_embeds": pooled, "time_ids": sizes}


def _eager(scene: Scene) -> Predict:
    return _calling(_Plain(scene.twin()), scene)


def _channels_last(scene: Scene) -> Predict:
    return _calling(_Plain(scene.twin().to(memory_format=torch.channels_last)), scene)


def _compiled(scene: Scene) -> Predict:
    from torch._inductor import config  # noqa: PLC0415 - seconds

    # In this process and in nobody else's: what it takes is told.
    config.compile_threads = 1
    config.force_disable_caches = True
    unet = scene.twin().to(memory_format=torch.channels_last)
    return _calling(torch.compile(_Plain(unet), fullgraph=True, dynamic=False), scene)


def plain_openvino(scene: Scene) -> Predict:
    """Return a call of OpenVINO alone: fixed sizes, its weights constants."""
    openvino = import_openvino()
    with torch.inference_mode():
        model = openvino.convert_model(_Plain(scene.twin()), example_input=scene.inputs)
    model.reshape({n: list(one.shape) for n, one in enumerate(scene.inputs)})
    options = {
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(model, "CPU", options)
    arrays = [one.numpy() for one in scene.inputs]
    return lambda: torch.from_numpy(compiled(arrays)[0].copy())


def _onnxruntime(scene: Scene) -> Predict:
    import onnxruntime  # noqa: PLC0415 - optional

    file = scene.folder / "unet.onnx"
    torch.onnx.export(
        _Plain(scene.twin()),
        scene.inputs,
        file,
        dynamo=True,
        external_data=True,
        input_names=["sample", "timestep", "text"],
        verbose=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    arrays = {name: one.numpy() for name, one in zip(names, scene.inputs, strict=True)}
    return lambda: torch.from_numpy(session.run(None, arrays)[0])


def _tabard_bare(scene: Scene) -> Predict:
    unet = scene.twin().to(memory_format=torch.channels_last)
    full_size.slots_of(unet, rank_total=1, packed=PackedWeights(bytes_max=None))
    return _calling(_Plain(unet), scene)


def _tabard_rows(scene: Scene) -> Predict:
    unet = scene.twin().to(memory_format=torch.channels_last)
    slots, binding = full_size.slots_of(
        unet, rank_total=SAMPLES * full_size.RANK, packed=PackedWeights(bytes_max=None)
    )
    held = slots.acquire(scene.adapters())
    predict = _calling(_Plain(unet), scene)

    def worn() -> torch.Tensor:
        bind_rows(
            binding,
            stacks=[[(slot, (WEIGHT,))] for slot in held],
            samples_per_row=1,
            device=CPU,
            dtype=torch.float32,
        )
        return predict()

    return worn


def _tabard_merged(scene: Scene) -> Predict:
    unet = scene.twin().to(memory_format=torch.channels_last)
    full_size.slots_of(unet, rank_total=1, packed=PackedWeights(bytes_max=None))
    merged = MergedWeights({full_size.COMPONENT: unet}, device=CPU, bytes_max=None)
    merged.merge([(scene.adapters()[0], WEIGHT)])
    predict = _calling(_Plain(unet), scene)

    def worn() -> torch.Tensor:
        with merged.wearing(full_size.COMPONENT):
            return predict()

    return worn


def _tabard_openvino(scene: Scene, *, is_worn: bool) -> Predict:
    worn = [[adapter] for adapter in scene.adapters()] if is_worn else []
    return by_openvino(scene, {"": worn})[""]


def by_openvino(
    scene: Scene, wearing: Mapping[str, Sequence[Sequence[HostAdapter]]]
) -> dict[str, Predict]:
    """Return calls of Tabard's graph by OpenVINO, by what each sample wears; empty: bare."""
    adapters = {one.digest: one for stacks in wearing.values() for stack in stacks for one in stack}
    unet = scene.twin().to(memory_format=torch.channels_last)
    total = sum(_rank_of(one) for one in adapters.values())
    slots, binding = full_size.slots_of(unet, rank_total=max(total, SAMPLES * full_size.RANK))
    for layer in slots._layers.values():
        make_tables(layer)
    held = dict(zip(adapters, slots.acquire(list(adapters.values())), strict=True))
    graph = _graph_of(unet, scene, rank_rows=slots.capacity + 1)
    latents, timesteps, text, *told = scene.inputs
    added = dict(zip(("text_embeds", "time_ids"), told, strict=False)) or None

    def predict(stacks: Sequence[Sequence[HostAdapter]]) -> torch.Tensor:
        with torch.inference_mode():
            bind_rows(
                binding,
                stacks=[[(held[one.digest], (WEIGHT,)) for one in stack] for stack in stacks]
                or [[]],
                samples_per_row=1,
                device=CPU,
                dtype=torch.float32,
                is_everywhere=True,
                rank_buckets=COMPILED_RANK_BUCKETS,
            )
            return graph.run(binding.worn, latents, timesteps, text, added)

    return {name: partial(predict, stacks) for name, stacks in wearing.items()}


def _rank_of(adapter: HostAdapter) -> int:
    return max(packed.down.shape[0] for packed in adapter.layers.values())


def _graph_of(unet: Any, scene: Scene, *, rank_rows: int) -> OpenVinoGraph:
    """Build Tabard's graph as the process does, and wait until it is compiled."""
    latents, text = scene.inputs[0], scene.inputs[2]
    base = BaseOrder(
        config=dict(unet.config), dtype="float32", rank_rows=rank_rows, compiler=OPENVINO
    )
    shape = PassShape(
        samples=2, height=latents.shape[2], width=latents.shape[3], tokens=text.shape[1]
    )
    target = scene.folder / "unet.graph"
    build(Order(base=base, shape=shape, threads=1, target=target))
    graph = OpenVinoGraph(target, tensors_of(unet))
    while not graph.is_ready:
        time.sleep(0.1)
    return graph


WAYS = (
    Way(name="diffusers, eager", prepare=_eager),
    Way(name="diffusers, channels last", prepare=_channels_last),
    Way(name="diffusers, compiled", prepare=_compiled),
    Way(name="OpenVINO", prepare=plain_openvino, needs=("openvino",)),
    Way(name="onnxruntime", prepare=_onnxruntime, needs=("onnxruntime", "onnx", "onnxscript")),
    Way(name="Tabard, bare", prepare=_tabard_bare),
    Way(name="Tabard, each sample another adapter", prepare=_tabard_rows, wears="rows"),
    Way(name="Tabard, merged", prepare=_tabard_merged, wears="one"),
    Way(
        name="Tabard by OpenVINO, bare",
        prepare=partial(_tabard_openvino, is_worn=False),
        needs=("openvino",),
    ),
    Way(
        name="Tabard by OpenVINO, each another adapter",
        prepare=partial(_tabard_openvino, is_worn=True),
        needs=("openvino",),
        wears="rows",
    ),
)


def _calling(model: Any, scene: Scene) -> Predict:
    def predict() -> torch.Tensor:
        with torch.inference_mode():
            found: torch.Tensor = model(*scene.inputs)
            return found

    return predict


def _merged_by_hand(scene: Scene, adapter: HostAdapter) -> torch.Tensor:
    """Predict with an adapter added to a copy of the weights that it changes."""
    unet = scene.twin()
    for (_, name), packed in adapter.layers.items():
        layer: Any = unet.get_submodule(name)
        delta = WEIGHT * (packed.up.T @ packed.down)
        weight = layer.weight + delta.view(layer.weight.shape)
        layer.weight = nn.Parameter(weight, requires_grad=False)
    return _calling(_Plain(unet), scene)()


def _adapter(profile: Any, *, seed: int, rank: int) -> HostAdapter:
    generator = torch.Generator().manual_seed(seed)
    layers = {
        (full_size.COMPONENT, name): PackedLayer(
            down=torch.randn(rank, shape.inputs, generator=generator) * 0.05,
            up=torch.randn(rank, shape.outputs, generator=generator) * 0.05,
        )
        for name, shape in full_size.adapted(profile)
    }
    return lay_out(layers, digest=f"sha256:{seed}-{rank}", dtype=torch.float32)
