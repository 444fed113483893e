# SPDX-License-Identifier: Apache-2.0
"""Writes `deterministic.safetensors`: pictures of the demo base as `NUMERICS` of now draws them.

Run `python -m tests.golden.make_deterministic` where `NUMERICS` was raised, and only there.
"""

import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from tabard.cli.demo.catalog import find_material, read_catalog
from tabard_server.engine.compiled.order import tools_key
from tabard_server.engine.load_engine import EngineSettings, load_engine
from tabard_server.engine_port.base_facts import NUMERICS
from tests.server.adapters.packing import pack_file
from tests.server.drawings import row_spec
from tests.server.engine.tiny_base import draw_pixels

FILE = Path(__file__).with_name("deterministic.safetensors")
SAMPLERS = ("ddim", "euler_a", "dpmpp_2m_karras", "unipc")
STEPS = 6


def main() -> None:
    """Write the file."""
    save_file(draw_all(), FILE, metadata={"numerics": NUMERICS, "machine": machine()})
    sys.stdout.write(f"{FILE}: {FILE.stat().st_size} bytes\n")


def machine() -> str:
    """Name what rounding depends on: the processor, and versions of what computes."""
    return tools_key("cpu")


def draw_all() -> dict[str, torch.Tensor]:
    """Return a picture of each sampler, bare and with a style, uint8 `[height, width, 3]`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    material = find_material()
    settings = EngineSettings(base=str(material / "base"), device="cpu", dtype="float32")
    engine = load_engine(settings)
    with tempfile.TemporaryDirectory() as name:
        style = pack_file(
            read_catalog(material / "adapters").style.file,
            profile=engine.profile,
            folder=Path(name),
            dtype=engine.dtype,
        )
    found = {}
    for sampler in SAMPLERS:
        for worn, stack in (("bare", ()), ("style", ((style, 0.8),))):
            spec = row_spec(stack=stack, sampler=sampler, steps=STEPS)
            found[f"{sampler}, {worn}"] = torch.from_numpy(draw_pixels(engine, spec))
    torch.set_num_threads(threads)
    return found


if __name__ == "__main__":
    main()
