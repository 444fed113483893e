# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training on one machine: a process a core, one gradient exchange a step.

On few shared cores this beats threads inside one process, which wait for each other at every
operation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

Task = Callable[[], None]


def run_workers(task: Task, *, count: int) -> None:
    """Run a picklable task in `count` single-threaded processes and wait for all of them."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_work, args=(task, count, str(Path(folder) / "rendezvous")), nprocs=count)


def rank() -> int:
    """Return this worker's number; zero outside of `run_workers`."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def worker_count() -> int:
    """Return how many workers train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Replace each gradient by its mean over the workers."""
    if worker_count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= worker_count()
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def _work(index: int, task: Task, count: int, rendezvous: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=index, world_size=count
    )
    try:
        task()
    finally:
        distributed.destroy_process_group()
