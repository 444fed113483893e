# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's graph of a UNet in this process: one for bare passes and worn ones of a picture size.

In: its file, and the tensors of a UNet. Out: predictions. It lays out the base's weights once more,
for its own kernels; the tables of slots it reads where they lie, so that a swap is seen.
"""

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tabard_server.engine.compiled.library import LibraryDamaged
from tabard_server.engine.compiled.openvino_layers import INDEX, WEIGHT
from tabard_server.engine.slots.worn_rows import WornRows

_TABLE = ".slot_"
_LENGTH_BYTES = 8
SAMPLES = 2
"""Of one call: a guided row. Eight at once are some 12 % sooner, and would be another graph."""


def import_openvino() -> Any:
    """Import OpenVINO without what sends its statistics.

    Its converter sends them unless somebody has declined; without the package that does it, a stub
    of OpenVINO's own takes its place.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino  # noqa: PLC0415 - an extra, and a second of imports

    return openvino


class OpenVinoGraph:
    """One graph, compiled in a thread of its own: some seconds of a processor."""

    def __init__(self, path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
        """Begin to compile it around these tensors, which are kept."""
        self._tensors = tensors
        self._request: Any = None
        self._blocks = 0
        self._failure = ""
        self._thread = threading.Thread(
            target=self._compile, args=(path,), name="tabard-openvino", daemon=True
        )
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Say whether it is compiled.

        Raises:
            LibraryDamaged: It cannot be.
        """
        if self._failure:
            raise LibraryDamaged(self._failure)
        return self._request is not None

    def run(
        self,
        worn: WornRows | None,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        text: torch.Tensor,
        added: Mapping[str, torch.Tensor] | None,
    ) -> torch.Tensor:
        """Return the predictions, `[samples, channels, h, w]`; of passes without magnitudes."""
        index, weight = _worn_by_sample(worn, samples=len(latents), blocks=self._blocks)
        given = {"latents": latents, "timesteps": timesteps.float(), "text": text}
        given |= {**(added or {}), INDEX: index}
        found = []
        for first in range(0, len(latents), SAMPLES):
            part = {name: _two(one, first) for name, one in given.items()}
            part[WEIGHT] = _two(weight.transpose(0, 1), first).transpose(0, 1)
            found.append(self._infer(part))
        return torch.cat(found)[: len(latents)]

    def bind(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Refuse: its weights are laid out for good, and a merged copy stays eager."""
        raise NotImplementedError

    def _infer(self, given: Mapping[str, torch.Tensor]) -> torch.Tensor:
        # Kept here until the end: OpenVINO only points to what it shares.
        whole = {name: one.contiguous() for name, one in given.items()}
        for name, one in whole.items():
            self._request.set_tensor(name, _shared(one))
        self._request.infer()
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy())

    def _compile(self, path: Path) -> None:
        try:
            self._request = self._new_request(path)
        except Exception as error:
            self._failure = f"OpenVINO cannot compile it: {error}"

    def _new_request(self, path: Path) -> Any:
        openvino = import_openvino()
        core = openvino.Core()
        model = core.read_model(*read_graph(path))
        tables = {}
        for parameter in list(model.get_parameters()):
            name = parameter.get_friendly_name()
            tensor = self._tensors.get(f"unet.{name}")
            if tensor is None:
                if name == WEIGHT:
                    self._blocks = parameter.get_partial_shape()[0].get_length()
            elif _TABLE in name:
                tables[name] = _shared(tensor)
            else:
                _replace(openvino, model, parameter, tensor.detach())
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "INFERENCE_PRECISION_HINT": "f32",
                "PERFORMANCE_HINT": "LATENCY",
                # Several servers of one machine would be bound to the same processors.
                "ENABLE_CPU_PINNING": False,
            },
        )
        request = compiled.create_infer_request()
        for name, table in tables.items():
            request.set_tensor(name, table)
        return request


def write_graph(model: Any, path: Path) -> None:
    """Write a graph as one file: how long its text is, the text, its few numbers."""
    parts = path.with_suffix(".xml"), path.with_suffix(".bin")
    import_openvino().save_model(model, parts[0], compress_to_fp16=False)
    text, numbers = (part.read_bytes() for part in parts)
    path.write_bytes(len(text).to_bytes(_LENGTH_BYTES, "little") + text + numbers)
    for part in parts:
        part.unlink()


def read_graph(path: Path) -> tuple[bytes, Any]:
    """Read its text, and its numbers as OpenVINO wants them."""
    whole = path.read_bytes()
    end = _LENGTH_BYTES + int.from_bytes(whole[:_LENGTH_BYTES], "little")
    numbers = torch.frombuffer(bytearray(whole[end:]), dtype=torch.uint8)
    return whole[_LENGTH_BYTES:end], import_openvino().Tensor(numbers.numpy())


def _worn_by_sample(
    worn: WornRows | None, *, samples: int, blocks: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rank rows of each sample, and their weights in every block; bare: no rank row."""
    if worn is None:
        return torch.zeros(samples, 0, dtype=torch.int64), torch.zeros(blocks, samples, 1, 0)
    each = samples // len(worn.index)
    by_block = worn.weight.transpose(-1, -2).expand(blocks, len(worn.index), 1, -1)
    return worn.index.repeat_interleave(each, 0), by_block.repeat_interleave(each, 1)


def _two(values: torch.Tensor, first: int) -> torch.Tensor:
    """Return two samples; of one that is alone, the same twice."""
    part = values[first : first + SAMPLES]
    return part if len(part) == SAMPLES else torch.cat([part, part])


def _replace(openvino: Any, model: Any, parameter: Any, tensor: torch.Tensor) -> None:
    """Put a weight where the graph has an argument, without a copy."""
    if tensor.is_contiguous():
        found = openvino.op.Constant(_shared(tensor))
    else:
        # As convolutions have theirs here: channels last.
        laid = openvino.op.Constant(_shared(tensor.permute(0, 2, 3, 1)))
        order = openvino.op.Constant(torch.tensor([0, 3, 1, 2]).numpy())
        found = openvino.opset13.transpose(laid, order)
    for target in parameter.output(0).get_target_inputs():
        target.replace_source_output(found.output(0))
    model.remove_parameter(parameter)


def _shared(tensor: torch.Tensor) -> Any:
    """Return a tensor of OpenVINO in the same memory."""
    openvino = import_openvino()
    return openvino.Tensor(tensor.numpy(), shared_memory=True)
