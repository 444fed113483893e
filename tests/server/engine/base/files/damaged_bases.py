# SPDX-License-Identifier: Apache-2.0
"""Bases with one file damaged, in every way that a copy, a disk or a tool can damage it."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tabard_server.engine.base.loading import Base

PROMPT = "a red circle on a white background, seen from the side"
Damage = Callable[[Path], None]


def linked_folder(base: Path, folder: Path, *, damaged: Path) -> Path:
    """Make a folder of links to a base's files, but for one, which is a copy; return the copy."""
    for file in sorted(path for path in base.rglob("*") if path.is_file()):
        target = folder / file.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.relative_to(base) == damaged:
            target.write_bytes(file.read_bytes())
        else:
            target.symlink_to(file)
    return folder / damaged


def files_of(base: Path) -> list[Path]:
    """Return the files of a base, relative to it."""
    return sorted(path.relative_to(base) for path in base.rglob("*") if path.is_file())


def damages_of(file: Path) -> Iterator[tuple[str, Damage]]:
    """Yield damages of a file by name; those of bytes, then those of what the bytes mean."""
    for share in (0.0, 0.001, 0.1, 0.5, 0.9, 0.999):
        yield f"cut at {share}", lambda path, share=share: _cut(path, share)
    yield "gone", Path.unlink
    yield "noise", lambda path: _noise(path) and None
    yield "zeros", lambda path: path.write_bytes(bytes(path.stat().st_size)) and None
    yield "a folder", _become_folder
    yield "a circle", _become_circle
    yield "a pipe", _become_pipe
    yield "a device", _become_device
    if file.suffix == ".json":
        for text in ("{}", "[]", "null", "1", '"x"', '{"a": 1}', "[" * 5_000, "NaN"):
            yield f"json {text[:8]}", lambda path, text=text: path.write_text(text) and None
        for value in (None, -1, 0, 1 << 40, 1.5, "x", [], {}, [1]):
            yield f"values {value}", lambda path, value=value: _set_every(path, value)
    if file.suffix == ".safetensors":
        for value in (float("nan"), float("inf"), -float("inf")):
            yield f"last {value}", lambda path, value=value: change(path, _ending_in(value))
        for kind in (torch.int8, torch.bool, torch.int64, torch.uint8):
            yield f"{kind}", lambda path, kind=kind: change(path, lambda t: t.to(kind))
        yield "wrong shape", lambda path: change(path, lambda tensor: tensor.flatten()[:1])
        yield "scalar", lambda path: change(path, lambda tensor: tensor.flatten()[0].clone())
        yield "extra", lambda path: _add(path, "extra.weight")
        yield "scale", lambda path: _add(path, "nowhere.scale_weight")
        yield "lora", lambda path: _add(path, "conv_in.lora_A.weight")
        yield "nf4", lambda path: _add(path, "conv_in.weight.quant_map")


def meaning_of(base: Base) -> dict[str, Any]:
    """Return all that shapes a picture: weights, schedule, and how a prompt is split."""
    weights = {
        f"{component}.{name}": tensor
        for component, model in base.models.items()
        for name, tensor in model.state_dict().items()
    }
    words = [part.tokenizer(PROMPT).input_ids for part in base.text_parts]
    return {"weights": weights, "schedule": base.scheduler_config, "words": words}


def are_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two bases draw the same."""
    left, right = one["weights"], other["weights"]
    return (
        left.keys() == right.keys()
        and all(torch.equal(left[name], right[name]) for name in left)
        and (one["schedule"], one["words"]) == (other["schedule"], other["words"])
    )


def change(path: Path, turn: Callable[[torch.Tensor], torch.Tensor], *, key: str = "") -> None:
    """Change one tensor of a file: that of a key, or the last matrix."""
    tensors = load_file(str(path))
    key = key or [name for name in tensors if tensors[name].ndim > 1][-1]
    save_file(tensors | {key: turn(tensors[key]).contiguous()}, str(path), {"format": "pt"})


def _ending_in(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def turn(tensor: torch.Tensor) -> torch.Tensor:
        tensor.flatten()[-1] = value
        return tensor

    return turn


def _cut(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])


def _noise(path: Path) -> int:
    size = path.stat().st_size
    period = bytes(number * 89 % 251 for number in range(251))
    return path.write_bytes((period * (size // 251 + 1))[:size])


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _become_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _become_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _set_every(path: Path, value: Any) -> None:
    document = json.loads(path.read_text())
    if isinstance(document, dict):
        document = {key: (key.startswith("_") and old) or value for key, old in document.items()}
    path.write_text(json.dumps(document))


def _add(path: Path, key: str) -> None:
    save_file(load_file(str(path)) | {key: torch.ones(1)}, str(path), {"format": "pt"})
