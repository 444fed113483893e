# SPDX-License-Identifier: Apache-2.0
"""A plan never changes what comes of a file: refused in the same words, read to the same bit."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabard_registry import BaseProfile, Checked, IntakeLimits, check
from tabard_registry.intake import plans
from tabard_registry.intake.files import layout
from tabard_registry.intake.files.kept import Kept
from tabard_registry.intake.files.layout import forget_layouts
from tabard_registry.intake.plans import forget_plans
from tests.fuzz.case import Case, make_case, sound_case
from tests.fuzz.seeds import PROFILE as SMALL
from tests.fuzz.seeds import SEEDS
from tests.registry.fakes import Tensors, kohya_tensors, write
from tests.registry.intake.lora_files import PROFILE

METADATA = {"ss_network_dim": "4", "software": "a trainer"}
CASES = 400


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    forget_layouts()
    forget_plans()


@contextmanager
def as_if_first() -> Iterator[None]:
    """Know nothing of earlier files for a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_KEPT", Kept(sizes_max=1 << 20))
        patch.setattr(plans, "_KEPT", Kept(sizes_max=1 << 20))
        yield


def told(checked: Checked) -> Any:
    """All that a check says, and the numbers that it would publish."""
    return (
        checked.report,
        [(x.component, x.module, x.scale, x.factors.keys, x.axis) for x in checked.layers],
        [_bytes_of(layer) for layer in checked.layers],
        [(x.component, x.parameter, x.method, x.scale, x.options) for x in checked.changes],
        [{k: v.tobytes() for k, v in x.read().items()} for x in checked.changes],
        [(x.token, x.component, x.count, x.key) for x in checked.tokens],
    )


def _bytes_of(layer: Any) -> list[bytes]:
    pair, magnitude = layer.factors.read(), layer.factors.read_magnitude()
    return [x.tobytes() for x in (pair.down, pair.up, magnitude) if x is not None]


def assert_told_alike(path: Path, *, profile: BaseProfile = PROFILE, **options: Any) -> Checked:
    """Check a file with what is known, and as if it were the first; return the former."""
    warm = check([path], profile=profile, **options)
    with as_if_first():
        assert told(check([path], profile=profile, **options)) == told(warm)
    return warm


def counted_readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note each file that is read without a plan."""
    found: list[Path] = []
    plain = plans.keep_plan

    def keep(context: Any, **more: Any) -> None:
        found.append(context.files[0].path)
        plain(context, **more)

    monkeypatch.setattr(sys.modules[check.__module__], "keep_plan", keep)
    return found


def test_file_of_a_known_kind_is_read_by_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other numbers and other texts than are looked at: the plan holds, and the factors are new."""
    read = counted_readings(monkeypatch)
    first = write(tmp_path / "a.safetensors", kohya_tensors(PROFILE, seed=1), metadata=METADATA)
    other = write(
        tmp_path / "b.safetensors",
        kohya_tensors(PROFILE, seed=2),
        metadata={**METADATA, "ss_session_id": "2", "trigger_word": "ink"},
    )

    one, two = check([first], profile=PROFILE), check([other], profile=PROFILE)

    assert read == [first]
    assert one.report.accepted and two.report.accepted
    assert two.report.trigger_words == ("ink",)
    assert {x.factors.source.path for x in two.layers} == {other}
    assert _bytes_of(one.layers[0]) != _bytes_of(two.layers[0])
    _forget()
    assert told(check([other], profile=PROFILE)) == told(two)


def alpha(tensors: Tensors) -> str:
    """A key of an alpha."""
    return next(key for key in tensors if key.endswith("alpha"))


def factor(tensors: Tensors) -> str:
    """A key of a factor."""
    return next(key for key in tensors if key.endswith("lora_up.weight"))


def set_all(tensors: Tensors, key: str, value: float) -> None:
    """Write a number all over a tensor."""
    tensors[key] = np.full_like(tensors[key], value)


CHANGES: dict[str, Any] = {
    "another alpha": lambda t: set_all(t, alpha(t), 3.0),
    "no alpha": lambda t: set_all(t, alpha(t), 0.0),
    "impossible alpha": lambda t: set_all(t, alpha(t), 6e4),
    "negative alpha": lambda t: set_all(t, alpha(t), -1.0),
    "alpha is NaN": lambda t: set_all(t, alpha(t), np.nan),
    "factor is NaN": lambda t: set_all(t, factor(t), np.nan),
    "factor is infinite": lambda t: set_all(t, factor(t), np.inf),
    "factor is zero": lambda t: set_all(t, factor(t), 0.0),
    "all is zero": lambda t: t.update({k: x * 0 for k, x in t.items() if not k.endswith("alpha")}),
    "nothing": lambda t: None,
}


@pytest.mark.parametrize("name", CHANGES)
def test_numbers_decide_in_each_file(name: str, tmp_path: Path) -> None:
    """What numbers decide is decided by the file's own, whatever those before it held."""
    known = write(tmp_path / "a.safetensors", kohya_tensors(PROFILE, seed=1), metadata=METADATA)
    tensors = kohya_tensors(PROFILE, seed=2)
    CHANGES[name](tensors)
    path = write(tmp_path / "b.safetensors", tensors, metadata=METADATA)
    assert check([known], profile=PROFILE).report.accepted

    assert_told_alike(path)


@pytest.mark.parametrize(
    "texts",
    [
        {"software": '{"name": "ai-toolkit"}'},
        {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"},
        {"ss_base_model_version": "sd_v2"},
        {"ss_v2": "True"},
        {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 8})},
        {"tabard.base_fingerprint": "sha256:" + "0" * 64},
        {"ss_network_dim": "8"},
        {},
    ],
    ids=repr,
)
def test_texts_decide_in_each_file(texts: dict[str, str], tmp_path: Path) -> None:
    """A file that says something else of itself is judged by that."""
    known = write(tmp_path / "a.safetensors", kohya_tensors(PROFILE, seed=1), metadata=METADATA)
    path = write(tmp_path / "b.safetensors", kohya_tensors(PROFILE, seed=2), metadata=texts)
    assert check([known], profile=PROFILE).report.accepted

    assert_told_alike(path)


@pytest.mark.parametrize(
    "options",
    [
        {"limits": IntakeLimits(rank_max=1)},
        {"limits": IntakeLimits(scale_abs_max=1e-9)},
        {"kind": "textual_inversion"},
        {"trigger_words": ("ink",)},
        {"takes_contradictions": True},
    ],
    ids=repr,
)
def test_bounds_and_words_are_part_of_a_plan(options: Any, tmp_path: Path) -> None:
    """What else a check is told decides anew."""
    path = write(tmp_path / "a.safetensors", kohya_tensors(PROFILE, seed=1), metadata=METADATA)
    assert check([path], profile=PROFILE).report.accepted

    assert_told_alike(path, **options)


def test_plan_is_of_one_base(tmp_path: Path) -> None:
    """The same file is judged anew for another base."""
    path = write(tmp_path / "a.safetensors", kohya_tensors(PROFILE, seed=1), metadata=METADATA)
    assert check([path], profile=PROFILE).report.accepted

    assert not assert_told_alike(path, profile=SMALL).report.accepted


def test_plan_holds_no_file(tmp_path: Path) -> None:
    """What is kept names no pages of the file that it was made of."""
    path = write(tmp_path / "a.safetensors", kohya_tensors(PROFILE, seed=1), metadata=METADATA)
    check([path], profile=PROFILE)

    (plan,) = (plan for plan, _ in plans._KEPT._rows.values())

    assert {layer.factors.source._pages for layer in plan.layers} == {None}


def test_bent_files_are_judged_alike(tmp_path: Path) -> None:
    """Any file comes out as it would as the first, after all sound ones and those before it."""
    for name in SEEDS:
        _check_case(sound_case(name), folder=tmp_path)
    for seed in range(CASES):
        _assert_case_alike(make_case(seed), folder=tmp_path)


def _assert_case_alike(case: Case, *, folder: Path) -> None:
    for _ in range(2):
        warm = told(_check_case(case, folder=folder))
    with as_if_first():
        assert told(_check_case(case, folder=folder)) == warm, case.name


def _check_case(case: Case, *, folder: Path) -> Checked:
    files = [folder / "x.safetensors"]
    files[0].write_bytes(case.content)
    if case.config is not None:
        files.append(folder / "adapter_config.json")
        files[1].write_bytes(case.config)
    return check(files, profile=SMALL, trigger_words=case.trigger_words)
