# SPDX-License-Identifier: Apache-2.0
"""Bent files are judged rightly, and a checker that is made careless is found out."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry.intake.files import layout as header
from tabard_registry.intake.files.safetensors import TensorFile
from tests.fuzz.case import bend, make_case, sound_case
from tests.fuzz.changes.byte_changes import BYTE_CHANGES
from tests.fuzz.changes.header_changes import HEADER_CHANGES
from tests.fuzz.changes.tensor_changes import TENSOR_CHANGES
from tests.fuzz.hostile import HOSTILE, write_all
from tests.fuzz.judge import judge
from tests.fuzz.run import run_chunk
from tests.fuzz.seeds import SEEDS
from tests.root import run_python
from tests.tally import Tally

CASES_FAST = 2_000
CASES_BOUNDED = 200
_CASES_AT_ONCE = 50
REASONS = (
    *("BAD_HEADER", "TRUNCATED", "NOT_SAFETENSORS", "HEADER_TOO_LONG", "EMPTY", "UNKNOWN_KEYS"),
    *("INCOMPLETE_PAIR", "NOT_FINITE", "SHAPE_MISMATCH", "BAD_ALPHA", "UNSUPPORTED_DTYPE"),
)


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Check bent files; return what came of them."""
    return run_chunk(range(CASES_FAST))


@pytest.mark.parametrize("name", SEEDS)
def test_sound_file_is_taken(name: str, tmp_path: Path) -> None:
    """Every file that is bent is taken as it is, and means what the reference reads."""
    assert judge(sound_case(name), folder=tmp_path).accepted


def test_no_promise_is_broken(tally: Tally) -> None:
    """Nothing raises, nothing is taken that means something else, every refusal has a remedy."""
    assert tally.failures == []
    refused = sum(n for what, n in tally.counts.items() if what.startswith("refused: "))
    assert tally.counts["accepted"] + refused == CASES_FAST


def test_files_are_really_bent(tally: Tally) -> None:
    """The cases are not tame by mistake: every change, and the common refusals, occur."""
    changes = [x.__name__ for x in (*TENSOR_CHANGES, *HEADER_CHANGES, *BYTE_CHANGES)]

    assert [name for name in changes if not tally.counts[f"change: {name}"]] == []
    assert [reason for reason in REASONS if not tally.counts[f"refused: {reason}"]] == []
    assert tally.counts["accepted"] > CASES_FAST / 10


@settings(max_examples=200)
@given(rng=st.randoms(use_true_random=False))
def test_any_choice_of_changes_is_judged(tmp_path: Path, rng) -> None:  # type: ignore[no-untyped-def]
    """The same promises for whatever hypothesis thinks of; what fails is made small by it."""
    judge(bend(rng), folder=tmp_path)


CARELESS = {
    "_check_layout": lambda tensors, **_: max((x.end for x in tensors.values()), default=0),
    "_unique": dict,
    "_natural": int,
}


@pytest.mark.parametrize("name", CARELESS)
def test_careless_header_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes a rule of the header out is told by the cases."""
    monkeypatch.setattr(header, name, CARELESS[name])

    try:
        assert _is_found_out()
    finally:
        header.forget_layouts()


def test_careless_numbers_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever no longer looks for NaN is told by the cases."""
    monkeypatch.setattr(TensorFile, "is_finite", lambda _file, _key: True)

    assert _is_found_out()


def _is_found_out() -> bool:
    """Whether a case breaks a promise, some cases at a time."""
    firsts = range(0, CASES_FAST, _CASES_AT_ONCE)
    return any(run_chunk(range(first, first + _CASES_AT_ONCE)).failures for first in firsts)


def test_seed_is_a_file_to_the_bit() -> None:
    """One seed gives the same bytes in another process, with other hashes."""
    code = (
        "import hashlib\nfrom tests.fuzz.case import make_case\n"
        "print(hashlib.sha256(b''.join(make_case(n).content for n in range(100))).hexdigest())"
    )
    outputs = {run_python("-c", code, hash_seed=hash_seed) for hash_seed in ("1", "2")}
    here = hashlib.sha256(b"".join(make_case(n).content for n in range(100))).hexdigest()

    assert {output.strip() for output in outputs} == {here}


def test_memory_is_bounded() -> None:
    """A process that may take little memory beside its libraries checks the same files."""
    told = run_python("-m", "tests.fuzz", "--cases", str(CASES_BOUNDED), "--jobs", "1")

    assert f"{CASES_BOUNDED} files, 0 promises broken" in told


def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    """Headers of eight megabytes that say nothing, or too much, are refused by name."""
    write_all(tmp_path)

    told = json.loads(run_python("-m", "tests.fuzz.hostile", str(tmp_path)))

    assert told["reasons"] == {name: reason for name, (_make, reason) in HOSTILE.items()}
