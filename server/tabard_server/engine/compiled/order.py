# SPDX-License-Identifier: Apache-2.0
"""What is ordered of the process that builds a library, and what it says when it is done.

In: a base's configuration and a kind of pass. Out: JSON, and the key under which libraries of that
base on that machine are kept. No weights: a library is given them where it runs.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from tabard_registry.refs.digest import sha256_bytes
from tabard_server.engine.compiled import captured, graph
from tabard_server.engine.compiled.graph import PassShape
from tabard_server.engine.slots import magnitudes, slotted_layers
from tabard_server.engine_port.costs import INDUCTOR

_VERSIONS = ("torch", "triton", "diffusers", "openvino")
_OWN = ("openvino_layers.py", "openvino_build.py")
_SOURCES = (captured, graph, magnitudes, slotted_layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseOrder:
    """What of a base a library depends on.

    Attributes:
        config: That of its UNet.
        dtype: Of its weights, like `float32`.
        rank_rows: Rows of every table of slots.
        compiler: `INDUCTOR`, `OPENVINO` or `CAPTURED`.
        device: Kind of the device.
    """

    config: Mapping[str, Any]
    dtype: str
    rank_rows: int
    compiler: str = INDUCTOR
    device: str = "cpu"

    @property
    def key(self) -> str:
        """Name of the folder: another base, program, library or machine has another."""
        sources = [Path(str(one.__file__)) for one in _SOURCES]
        sources += [Path(__file__).with_name(name) for name in _OWN]
        told = {
            "base": {**asdict(self), "config": dict(self.config)},
            "sources": [str(sha256_bytes(one.read_bytes())) for one in sources],
            "tools": _tools(self.device),
            "threads": torch.get_num_threads(),
        }
        return _short(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One library.

    Attributes:
        base: For which base.
        shape: For which passes.
        threads: Of torch where it runs: loops are shared out when they are compiled.
        target: Where it shall lie; beside it what it wants, as JSON.
    """

    base: BaseOrder
    shape: PassShape
    threads: int
    target: Path

    def to_json(self) -> str:
        """Write it."""
        told = asdict(self)
        told["base"]["config"] = dict(self.base.config)
        return json.dumps(told, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Order":
        """Read it."""
        told = json.loads(text)
        return cls(
            base=BaseOrder(**told["base"]),
            shape=PassShape(**told["shape"]),
            threads=told["threads"],
            target=Path(told["target"]),
        )


def tools_key(device: str) -> str:
    """Name of the folder of kernels that other versions or another machine cannot use."""
    return _short(_tools(device))


def _tools(device: str) -> dict[str, Any]:
    machine = [platform.machine(), torch.backends.cpu.get_cpu_capability(), _processor()]
    if device == "cuda":
        machine += [torch.cuda.get_device_name(), str(torch.cuda.get_device_capability())]
    return {"versions": {name: _version(name) for name in _VERSIONS}, "machine": machine}


def _short(told: Mapping[str, Any]) -> str:
    text = json.dumps(told, sort_keys=True, default=str)
    return str(sha256_bytes(text.encode())).removeprefix("sha256:")[:32]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _processor() -> str:
    """Return the processor's flags, which the compiler is told to use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return " ".join(sorted(flags.partition(":")[2].split()))
