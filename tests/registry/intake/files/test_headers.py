# SPDX-License-Identifier: Apache-2.0
"""Headers beyond what is parsed: long texts are cut, everything else is read as it stands."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tabard_registry import IntakeLimits, Problem
from tabard_registry.intake.files.headers import KEPT_BYTES_MAX, TEXT_BYTES_MAX
from tabard_registry.intake.files.safetensors import TensorFile, open_tensors
from tests.registry.intake.files.raw_files import entry, raw

MEGABYTE = 1 << 20
TEXTS = {
    "plain": "x" * (9 * MEGABYTE),
    "tags in JSON": json.dumps({f"tag {number} {'x' * 90}": number for number in range(100_000)}),
    "two bytes": "é" * (5 * MEGABYTE),
    "four bytes": "\U0001f600" * (3 * MEGABYTE),
    "backslashes": "\\" * (5 * MEGABYTE),
}


def opened(path: Path) -> TensorFile | Problem:
    """Open with the limits of a server."""
    return open_tensors(path, limits=IntakeLimits())


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
@pytest.mark.parametrize("name", TEXTS)
def test_long_text_is_cut_and_the_rest_read(name: str, shift: int, tmp_path: Path) -> None:
    """A trainer's list of all tags: the file is read as the format's own package reads it."""
    path = tmp_path / "x.safetensors"
    text = "x" * shift + TEXTS[name]
    save_file({"a": np.arange(4.0)}, path, metadata={"ss_tag_frequency": text, "ss_epoch": "7"})

    file = opened(path)

    assert isinstance(file, TensorFile)
    assert file.metadata["ss_epoch"] == "7"
    assert text.startswith(file.metadata["ss_tag_frequency"])
    assert TEXT_BYTES_MAX // 8 < len(file.metadata["ss_tag_frequency"]) <= TEXT_BYTES_MAX
    assert np.array_equal(file.read("a"), load_file(path)["a"])


@pytest.mark.parametrize("shift", range(12))
def test_no_escape_is_halved(shift: int, tmp_path: Path) -> None:
    """Characters that are escaped as two halves are kept or cut whole."""
    text = "x" * shift + "\U0001f600" * MEGABYTE
    header = {"__metadata__": {"long": text}, "a": entry()}
    path = raw(tmp_path / "x.safetensors", json.dumps(header, ensure_ascii=True).encode())

    file = opened(path)

    assert isinstance(file, TensorFile)
    assert text.startswith(file.metadata["long"]) and len(file.metadata["long"]) > 1_000


def test_header_that_can_be_parsed_is_not_cut(tmp_path: Path) -> None:
    """Up to the bound every text is whole."""
    text = "x" * (KEPT_BYTES_MAX - 1_000)
    path = tmp_path / "x.safetensors"
    save_file({"a": np.arange(4.0)}, path, metadata={"long": text})

    file = opened(path)

    assert isinstance(file, TensorFile) and file.metadata["long"] == text


REFUSED: dict[str, tuple[bytes, str]] = {
    "no end of a text": (b'{"a":"' + b"x" * 9 * MEGABYTE, "BAD_HEADER"),
    "no end but an escape": (b'{"a":"' + b"x" * 9 * MEGABYTE + b"\\", "BAD_HEADER"),
    "many lists": (b'{"a":' + b"[]," * 2 * MEGABYTE, "BAD_HEADER"),
    "many texts": (b"{" + b'""' * 3 * MEGABYTE, "BAD_HEADER"),
    "spaces": (b"{" + b" " * 9 * MEGABYTE + b"}", "HEADER_TOO_LONG"),
    "texts of some length": (
        b'{"__metadata__":{'
        + b",".join(b'"%d":"%b"' % (i, b"x" * (TEXT_BYTES_MAX - 9)) for i in range(140))
        + b"}}",
        "HEADER_TOO_LONG",
    ),
    "long key": (b'{"' + b"a" * 9 * MEGABYTE + b'":{}}', "BAD_HEADER"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_long_header_without_long_texts_is_refused(name: str, tmp_path: Path) -> None:
    """What would have to be parsed has a bound, and a remedy."""
    header, reason = REFUSED[name]

    found = opened(raw(tmp_path / "x.safetensors", header))

    assert isinstance(found, Problem)
    assert (found.reason, bool(found.remedy)) == (reason, True)


def test_configuration_that_was_cut_is_not_passed_over(tmp_path: Path) -> None:
    """Half of what diffusers wrote is no configuration; the check refuses what it cannot read."""
    text = json.dumps({"unet.rank_pattern": {f"^layer.{n}": 1 for n in range(500_000)}})
    path = tmp_path / "x.safetensors"
    save_file({"a": np.arange(4.0)}, path, metadata={"lora_adapter_metadata": text})

    file = opened(path)

    assert isinstance(file, TensorFile)
    with pytest.raises(ValueError):
        json.loads(file.metadata["lora_adapter_metadata"])
