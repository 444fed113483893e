# SPDX-License-Identifier: Apache-2.0
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry import Problem, check
from tabard_registry.intake.files.safetensors import TensorFile
from tests.registry.fakes import sd_profile, small_lora, write
from tests.registry.intake.files.raw_files import entry, opened, raw
from tests.registry.log.json_values import json_values

TWICE = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' * 2
HOSTILE: dict[str, tuple[object, bytes]] = {
    "not json": (b"{oops", b""),
    "not utf-8": (b'{"\xff": 1}', b""),
    "number": (b"{1}", b""),
    "nested": (b'{"a":' + b"[" * 50_000, b""),
    "digits": (b'{"a":' + b"9" * 9_000 + b"}", b""),
    "duplicate": (TWICE.replace(b',{"a"', b',"a"')[:-1] + b"}", b"\0" * 4),
    "metadata of numbers": ({"__metadata__": {"a": 1}}, b""),
    "metadata list": ({"__metadata__": []}, b""),
    "entry list": ({"a": []}, b""),
    "field missing": ({"a": {"dtype": "F32", "shape": [1]}}, b""),
    "field more": ({"a": entry(more=1)}, b"\0" * 4),
    "odd dtype": ({"a": entry(dtype="C64")}, b"\0" * 4),
    "dtype list": ({"a": entry(dtype=["F32"])}, b"\0" * 4),
    "negative": ({"a": entry(shape=[-1])}, b"\0" * 4),
    "boolean": ({"a": entry(shape=[True])}, b"\0" * 4),
    "float": ({"a": entry(shape=[1.0])}, b"\0" * 4),
    "huge": ({"a": entry(shape=[1 << 62, 4])}, b"\0" * 4),
    "many dimensions": ({"a": entry(shape=[1] * 60)}, b"\0" * 4),
    "nothing that takes room": ({"a": entry(shape=[0])}, b"\0" * 4),
    "disagreeing": ({"a": entry(shape=[2])}, b"\0" * 4),
    "reversed": ({"a": entry(start=4, end=0)}, b"\0" * 4),
    "gap before": ({"a": entry(start=4, end=8)}, b"\0" * 8),
    "gap between": ({"a": entry(), "b": entry(start=8, end=12)}, b"\0" * 12),
    "overlap": ({"a": entry(), "b": entry(start=0, end=4)}, b"\0" * 4),
    "trailing": ({"a": entry()}, b"\0" * 5),
    "no name": ({"": entry()}, b"\0" * 4),
    "long name": ({"a" * 2000: entry()}, b"\0" * 4),
    "surrogate": (b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
    "many tensors": ({f"{i}": entry(start=4 * i, end=4 * i + 4) for i in range(101)}, b"\0" * 404),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_header_is_refused(name: str, tmp_path: Path) -> None:
    """Each way to break the format is a problem with a remedy."""
    header, data = HOSTILE[name]

    found = opened(raw(tmp_path / "x.safetensors", header, data))

    assert isinstance(found, Problem)
    assert (found.reason, bool(found.remedy)) == ("BAD_HEADER", True)


@settings(max_examples=150)
@given(header=st.binary() | json_values.map(lambda v: json.dumps(v).encode()), data=st.binary())
def test_any_header_is_file_or_problem(tmp_path: Path, header: bytes, data: bytes) -> None:
    """Arbitrary headers never crash the check."""
    path = raw(tmp_path / "x.safetensors", header, data)

    assert not check([path], profile=sd_profile()).report.accepted


@settings(max_examples=150)
@given(position=st.integers(0, 3000), value=st.integers(0, 255))
def test_any_damage_is_file_or_problem(tmp_path: Path, position: int, value: int) -> None:
    """A good file with any byte changed is judged, never a crash."""
    path = small_lora(tmp_path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] = value
    path.write_bytes(content)

    report = check([path], profile=sd_profile()).report

    assert report.accepted == (not [p for p in report.problems if not p.is_warning])


@pytest.mark.parametrize("cut", [1, 9, 100])
def test_truncated_file_says_so(cut: int, tmp_path: Path) -> None:
    """A file that ends too early is not a broken format, it is half a file."""
    path = small_lora(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])

    found = opened(path)

    assert isinstance(found, Problem) and found.reason == "TRUNCATED"
    assert str(cut) in found.message


def test_large_files_and_headers_are_refused(tmp_path: Path) -> None:
    """Sizes are looked at before anything is read."""
    big = tmp_path / "big.safetensors"
    big.write_bytes(b"\0" * 1_000_001)
    long = tmp_path / "long.safetensors"
    long.write_bytes(struct.pack("<Q", 100_001) + b"{" + b" " * 100)
    empty = tmp_path / "empty.safetensors"
    empty.touch()

    reasons = [getattr(opened(path), "reason", None) for path in (big, long, empty)]

    assert reasons == ["TOO_LARGE", "HEADER_TOO_LONG", "EMPTY"]


def test_tensors_are_read_as_written(tmp_path: Path) -> None:
    """Every float type is read as the safetensors package wrote it; BF16 widens exactly."""
    values = np.array([[1.5, -2.0, 0.0], [3.0, 0.25, -0.5]])
    tensors = {name: values.astype(name) for name in ("float16", "float32", "float64")}
    file = opened(write(tmp_path / "x.safetensors", tensors))
    bits = (values.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    header = {"b": entry(dtype="BF16", shape=[2, 3], end=12)}
    brain = opened(raw(tmp_path / "b.safetensors", header, bits.tobytes()))

    assert isinstance(file, TensorFile) and isinstance(brain, TensorFile)
    for name in tensors:
        assert file.read(name).dtype == name
        assert np.array_equal(file.read(name), values)
    assert np.array_equal(brain.read("b"), values)


def test_tensor_of_no_numbers_is_one(tmp_path: Path) -> None:
    """The format allows it, before others, between and behind them."""
    names = ("a", "b", "c")
    empty, full = np.ones((0, 4), "float32"), np.ones((2, 4), "float32")
    for place in range(3):
        tensors = {name: empty if i == place else full for i, name in enumerate(names)}
        file = opened(write(tmp_path / "x.safetensors", tensors))

        assert isinstance(file, TensorFile)
        assert file.read(names[place]).shape == (0, 4)
        assert all(file.is_finite(name) for name in names)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_number_is_seen(dtype: str, value: float, tmp_path: Path) -> None:
    """NaN and infinity are seen wherever they are."""
    bad = np.ones((3, 5), dtype=dtype)
    bad[2, 4] = value
    largest = np.full((2, 2), np.finfo("float16").max, dtype=dtype)
    file = opened(write(tmp_path / "x.safetensors", {"bad": bad, "good": largest}))

    assert isinstance(file, TensorFile)
    assert (file.is_finite("bad"), file.is_finite("good")) == (False, True)


def test_overflow_of_doubles_is_seen(tmp_path: Path) -> None:
    """A double that float32 cannot hold is not finite."""
    file = opened(write(tmp_path / "x.safetensors", {"a": np.array([1e300])}))

    assert isinstance(file, TensorFile) and not file.is_finite("a")


def test_tensors_can_be_looked_away_from(tmp_path: Path) -> None:
    """What is left reads as before, also where other types lie between."""
    tensors = {
        "a": np.ones((2, 2), "float16"),
        "b": np.full((3,), np.nan, "float32"),
        "c": np.full((2,), 2, "float16"),
        "d": np.asarray([True, False]),
    }
    file = opened(write(tmp_path / "x.safetensors", tensors))
    assert isinstance(file, TensorFile)

    rest = file.without(["b"])

    assert set(file.tensors) == set("abcd") and set(rest.tensors) == set("acd")
    assert np.array_equal(rest.read("c"), tensors["c"]) and rest.is_finite("a")
    assert rest.read("d").tolist() == [1, 0] and not file.is_finite("b")
