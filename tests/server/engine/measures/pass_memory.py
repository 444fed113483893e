# SPDX-License-Identifier: Apache-2.0
"""One pass of a model of true size with random weights, in a process of its own.

`python -m tests.server.engine.measures.pass_memory sd15 64 1` prints the bytes that the pass took
of the machine and those that were alive by a dry pass. Linux only: it reads and resets the peak
that the system keeps of a process.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn

from tabard_server.engine.measures.dry_run import run_dry
from tabard_server.engine.measures.passes import Pass
from tests.bench import full_size

UNETS = {"sd15": full_size.SD15, "sdxl": full_size.SDXL}
_PROCESS = Path("/proc/self")

NewPass = Callable[[torch.device], Pass]


def pass_of(name: str, *, side: int, samples: int, device: torch.device) -> NewPass:
    """Return what makes a pass on any device; the model has weights on the given one."""
    if name == "decoder":
        with device:
            decoder = AutoencoderKL(**full_size.VAE).decoder.eval().requires_grad_(False)
        return lambda where: Pass(
            model=decoder, inputs={"sample": torch.zeros(samples, 4, side, side, device=where)}
        )
    config = UNETS[name]
    unet = _unet(config, device=device)

    def make(where: torch.device) -> Pass:
        words = torch.zeros(samples, 77, config["cross_attention_dim"], device=where)
        added = {
            "text_embeds": torch.zeros(samples, 1280, device=where),
            "time_ids": torch.zeros(samples, 6, device=where),
        }
        inputs = {
            "sample": torch.zeros(samples, 4, side, side, device=where),
            "timestep": torch.zeros(samples, dtype=torch.long, device=where),
            "encoder_hidden_states": words,
            "added_cond_kwargs": added if name == "sdxl" else None,
        }
        return Pass(model=unet, inputs=inputs)

    return make


def main() -> None:
    """Run one pass, twice: an allocator is another after the first."""
    name, side, samples = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    make = pass_of(name, side=side, samples=samples, device=torch.device("cpu"))
    call = make(torch.device("cpu"))
    nn.Module.to(call.model, memory_format=torch.channels_last)
    before = _status("VmRSS")
    (_PROCESS / "clear_refs").write_text("5")
    with torch.inference_mode():
        call.run()
        call.run()
    taken = _status("VmHWM") - before
    alive = run_dry(make(torch.device("meta"))).peak_bytes
    print(json.dumps({"taken": taken, "alive": alive}))


def _unet(config: dict[str, Any], *, device: torch.device) -> nn.Module:
    if device.type != "meta":
        return full_size.new_unet(dtype=torch.float32, device=device, config=config)
    with device:
        return full_size.UNet2DConditionModel(**config).eval()


def _status(name: str) -> int:
    lines = (_PROCESS / "status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
