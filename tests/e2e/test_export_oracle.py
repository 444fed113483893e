# SPDX-License-Identifier: Apache-2.0
"""Exported files in diffusers itself: the same picture as the file that was published.

Of kohya's files diffusers loses the attention of text encoders (transformers 5 calls it otherwise),
so where there is one the reference adds the file's own products to the weights.
"""

from pathlib import Path

import pytest

from tabard_registry import Author, Registry, ReleaseDraft, check
from tabard_registry.export.export import export_release
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_server.engine.base.profile import profile_of
from tests.bases import (
    make_tiny_base,
    write_diffusers_lora,
    write_inversion,
    write_inversion_pair,
    write_kohya_lora,
)
from tests.oracle import Oracle, Worn, largest_difference, mean_difference

pytestmark = pytest.mark.oracle

PROMPT = "a <plum> circle on blue"
HOW = {"seed": 7, "steps": 4}
TOLERANCE = 1
VISIBLE = 0.5


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl"])
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Oracle]:
    """A tiny base of each family and diffusers alone on it."""
    base = make_tiny_base(tmp_path_factory.mktemp("base") / request.param, family=request.param)
    return request.param, base, Oracle(base)


def write(what: str, base: Path, folder: Path, *, family: str) -> Path:
    """Write the file that is published."""
    folder.mkdir()
    file = folder / "published.safetensors"
    if what == "kohya":
        return write_kohya_lora(base, file, seed=3, rank=5, alphas=(3.0,), text=())
    if what == "diffusers":
        return write_diffusers_lora(base, file, seed=4, alpha=2.0, text_targets=("q_proj",))
    widths = profile_of(str(base)).token_widths
    if family == "sdxl":
        pair = (widths["text_encoder"], widths["text_encoder_2"])
        return write_inversion_pair(file, widths=pair, vectors=2, seed=5)
    return write_inversion(file, token="<plum>", width=widths["text_encoder"], vectors=2, seed=5)


@pytest.mark.parametrize("style", ["kohya", "diffusers"])
@pytest.mark.parametrize("what", ["kohya", "diffusers", "embedding"])
def test_exported_file_draws_the_same(
    what: str, style: str, scene: tuple[str, Path, Oracle], tmp_path: Path
) -> None:
    """Every direction between the formats: one picture, and not that of the bare base."""
    family, base, oracle = scene
    path = write(what, base, tmp_path / "in", family=family)
    checked = check([path], profile=profile_of(str(base)), trigger_words=_words(what))
    assert checked.report.accepted, checked.report.problems
    registry = Registry.open(str(tmp_path / "registry"))
    release = registry.publish(
        ReleaseDraft(adapter=AdapterName("acme", "ink"), version=Version.parse("1.0.0")),
        checked=checked,
        files=[path],
        author=Author(actor="ann"),
    ).release

    (file,) = export_release(registry, release, style=style, folder=tmp_path)

    token = "<plum>" if what == "embedding" else None
    worn = Worn(file=file.path, token=token)
    draw = oracle.draw_merged if (what, style) == ("diffusers", "kohya") else oracle.draw
    drawn = oracle.draw(PROMPT, worn=[Worn(file=path, token=token)], **HOW)
    again = draw(PROMPT, worn=[worn], **HOW)
    assert mean_difference(drawn, oracle.draw(PROMPT, **HOW)) > VISIBLE
    assert largest_difference(drawn, again) <= TOLERANCE


def _words(what: str) -> tuple[str, ...]:
    return ("<plum>",) if what == "embedding" else ()
