# SPDX-License-Identifier: Apache-2.0
"""Wrong things, tried on a real server: the right status, a reason, what to do next; it goes on."""

import json
import math
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabard import (
    AlreadyExists,
    Client,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    TabardError,
)
from tests.e2e.conftest import RunningServer

QUICK = {"num_inference_steps": 2, "width": 32, "height": 32, "seed": 1}


@pytest.fixture(scope="module")
def client(tiny_client: Client, tiny_files: Mapping[str, Path]) -> Client:
    tiny_client.publish("bad/style", tiny_files["style0"], version="1.0.0")
    tiny_client.promote("bad/style@1.0.0", channel="stable")
    tiny_client.publish("bad/plum", tiny_files["plum"], version="1.0.0")
    return tiny_client


def _assert_alive(client: Client, server: RunningServer) -> None:
    """The server is the same process, and draws."""
    assert server.process.poll() is None
    assert len(client.generate("a red circle", adapters=["bad/style"], **QUICK).images) == 1


REQUESTS: Mapping[str, tuple[dict[str, Any], type[TabardError], str]] = {
    "unknown adapter": ({"adapters": ["bad/nothing"]}, NotFound, "ADAPTER_NOT_FOUND"),
    "unknown version": ({"adapters": ["bad/style@9.9.9"]}, NotFound, "RELEASE_NOT_FOUND"),
    "unknown channel": ({"adapters": ["bad/style@canary"]}, NotFound, "CHANNEL_NOT_FOUND"),
    "broken ref": ({"adapters": ["no namespace"]}, InvalidArgument, ""),
    "weight out of range": ({"adapters": ["bad/style:99"]}, InvalidArgument, ""),
    "weight not a number": ({"adapters": ["bad/style:nan"]}, InvalidArgument, ""),
    "same adapter twice": ({"adapters": ["bad/style", "bad/style"]}, InvalidArgument, ""),
    "token unused": ({"adapters": ["bad/plum@1.0.0"]}, InvalidArgument, ""),
    "prompt of too many tokens": ({"prompt": "red " * 200}, InvalidArgument, ""),
    "size not a multiple": ({"width": 33}, InvalidArgument, ""),
    "size over the limit": ({"width": 8192, "height": 8192}, InvalidArgument, ""),
    "no steps": ({"num_inference_steps": 0}, InvalidArgument, ""),
    "too many steps": ({"num_inference_steps": 100_000}, InvalidArgument, ""),
    "no images": ({"num_images": 0}, InvalidArgument, ""),
    "too many images": ({"num_images": 10_000}, InvalidArgument, ""),
    "guidance not a number": ({"guidance_scale": math.nan}, InvalidArgument, ""),
    "guidance infinite": ({"guidance_scale": math.inf}, InvalidArgument, ""),
    "unknown sampler": ({"sampler": "magic"}, InvalidArgument, ""),
}


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_wrong_request_says_what_to_do(
    client: Client, tiny_server: RunningServer, name: str
) -> None:
    """Each wrong request is refused with its status, a reason and advice."""
    changes, kind, reason = REQUESTS[name]
    options: dict[str, Any] = {"prompt": "a red circle", **QUICK, **changes}
    prompt = options.pop("prompt")

    with pytest.raises(kind) as caught:
        client.generate(prompt, **options)

    assert caught.value.reason
    assert reason in caught.value.reason
    assert caught.value.hint or all(one.description for one in caught.value.violations)
    _assert_alive(client, tiny_server)


def _rewrite(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    tensors = load_file(str(source))
    change(tensors)
    save_file(tensors, str(target))
    return target


def _first(tensors: dict[str, Any]) -> str:
    return sorted(tensors)[0]


def _put(value: float) -> Callable[[dict[str, Any]], None]:
    def change(tensors: dict[str, Any]) -> None:
        tensors[_first(tensors)].view(-1)[0] = value

    return change


def _widen(tensors: dict[str, Any]) -> None:
    key = next(key for key in sorted(tensors) if "lora_A" in key or "lora.down" in key)
    tensors[key] = torch.cat([tensors[key], tensors[key]], dim=1)


def _drop_half(tensors: dict[str, Any]) -> None:
    del tensors[_first(tensors)]


def _add_stranger(tensors: dict[str, Any]) -> None:
    tensors["unet.no_such_block.7.to_q.lora_A.weight"] = torch.ones(4, 32)
    tensors["unet.no_such_block.7.to_q.lora_B.weight"] = torch.ones(32, 4)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _overlap(path: Path) -> Path:
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header = json.dumps({"a": entry, "b": entry}).encode()
    return _write(path, struct.pack("<Q", len(header)) + header + bytes(16))


FILES: Mapping[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a pickle": (lambda good, bad: _write(bad, b"\x80\x04\x95\x00." * 9), "PICKLE_REFUSED"),
    "truncated": (lambda good, bad: _write(bad, good.read_bytes()[:-100]), "TRUNCATED"),
    "endless header": (
        lambda good, bad: _write(bad, struct.pack("<Q", 2**62) + b"{}"),
        "HEADER_TOO_LONG",
    ),
    "overlapping tensors": (lambda good, bad: _overlap(bad), "BAD_HEADER"),
    "keys that fit no module": (
        lambda good, bad: _rewrite(good, bad, _add_stranger),
        "UNKNOWN_KEYS",
    ),
    "half a pair": (lambda good, bad: _rewrite(good, bad, _drop_half), "INCOMPLETE_PAIR"),
    "wrong shape": (lambda good, bad: _rewrite(good, bad, _widen), "SHAPE_MISMATCH"),
    "not a number": (lambda good, bad: _rewrite(good, bad, _put(math.nan)), "NOT_FINITE"),
    "infinite": (lambda good, bad: _rewrite(good, bad, _put(math.inf)), "NOT_FINITE"),
    "empty": (lambda good, bad: _write(bad, b""), ""),
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_wrong_file_is_refused_whole(
    client: Client,
    tiny_server: RunningServer,
    tiny_files: Mapping[str, Path],
    tmp_path: Path,
    name: str,
) -> None:
    """No part of a file that is wrong anywhere is published; the refusal says why."""
    make, reason = FILES[name]
    file = make(tiny_files["style0"], tmp_path / "bad.safetensors")

    with pytest.raises(InvalidArgument) as caught:
        client.publish("bad/refused", file, version="1.0.0")

    told = f"{caught.value.reason} {[(v.field, v.description) for v in caught.value.violations]}"
    assert reason in told
    assert caught.value.hint
    with pytest.raises(NotFound):
        client.get("bad/refused")
    _assert_alive(client, tiny_server)


def test_other_bytes_under_version_are_refused(
    client: Client, tiny_files: Mapping[str, Path]
) -> None:
    """A version is its bytes: the same again is the same release, others are refused."""
    again = client.publish("bad/style", tiny_files["style0"], version="1.0.0")
    with pytest.raises(AlreadyExists) as caught:
        client.publish("bad/style", tiny_files["style1"], version="1.0.0")

    assert not again.created
    assert caught.value.reason == "VERSION_EXISTS"


def test_rollback_needs_something_before(client: Client) -> None:
    """The first release of a channel has nothing to go back to, and the error says so."""
    with pytest.raises(FailedPrecondition) as caught:
        client.rollback("bad/style", reason="it looks wrong")

    assert caught.value.reason == "NOTHING_TO_ROLL_BACK"
    assert caught.value.hint
