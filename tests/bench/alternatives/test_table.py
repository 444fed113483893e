# SPDX-License-Identifier: Apache-2.0
"""The table of alternatives on a toy UNet: who is here is compared, who is not is named."""

from pathlib import Path

import pytest
from torch._inductor import config

from tests.bench.alternatives import table
from tests.bench.alternatives.ways import WAYS, Way, new_scene
from tests.gpu.measure.sizes import TINY

COMPILED = "diffusers, compiled"


def test_tabard_predicts_what_diffusers_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bare, each sample another adapter, and merged; every way has its row."""
    scene = new_scene(tmp_path, config=TINY, side=16)

    found = table.measure(scene, rounds=1, without=(COMPILED,))
    table.report(found)

    for way in WAYS:
        one = found["ways"][way.name]
        if way.lacks() or way.name == COMPILED:
            assert one["state"], way.name
        else:
            assert one["difference"] < 1e-4, way.name
    assert not any(found["ways"][way.name]["state"] for way in WAYS if "Tabard" in way.name)
    said = capsys.readouterr().out
    assert all(way.name in said for way in WAYS)
    assert f"{COMPILED:38}  left out" in said


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:dynamo_pgo force disabled:UserWarning")
def test_compiler_predicts_it_too(tmp_path: Path) -> None:
    """By itself: it takes a minute or two."""
    scene = new_scene(tmp_path, config=TINY, side=16)
    others = [way.name for way in WAYS[1:] if way.name != COMPILED]

    with config.patch(compile_threads=1, force_disable_caches=True):  # as it sets them, for a while
        found = table.measure(scene, rounds=1, without=others)

    assert found["ways"][COMPILED]["difference"] < 1e-4


def test_adapters_change_the_prediction(tmp_path: Path) -> None:
    """What a way is compared with is not what the bare base says."""
    scene = new_scene(tmp_path, config=TINY, side=16)

    found = table.references(scene)

    for worn in ("one", "rows"):
        assert (found[worn] - found[""]).abs().max() > 0.01 * found[""].abs().max()


def test_missing_package_is_named() -> None:
    """Its row says how to get it."""
    way = Way(name="x", prepare=lambda scene: lambda: scene.inputs[0], needs=("no_such_package",))

    assert table._state(way, without=()) == "not installed: pip install no_such_package"
