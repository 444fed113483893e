# SPDX-License-Identifier: Apache-2.0
"""`--region` and its like, from the command line to the message."""

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tabard.cli.commands.generate.regions import put_regions, split_masks
from tabard.pictures.region import Region
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer


def regions_of(*regions: str, prompts: tuple[str, ...] = ()) -> Any:
    """What becomes of them."""
    options: dict[str, Any] = {"regions": regions, "region_prompts": prompts}
    put_regions(options)
    assert "region_prompts" not in options
    return options.get("regions")


def test_boxes_and_files_are_told_apart() -> None:
    """By what they look like; whether boxes can be is the server's to say."""
    assert regions_of("left=0,0,0.5,1/.8,0,1,1", "b=0,0,9") == [
        Region(name="left", boxes="0,0,0.5,1/.8,0,1,1"),
        Region(name="b", boxes="0,0,9"),
    ]
    assert regions_of("hat=a,b.png", "cap=7") == [
        Region(name="hat", mask=Path("a,b.png")),
        Region(name="cap", mask=Path("7")),
    ]
    assert regions_of() is None


def test_prompt_belongs_to_its_region() -> None:
    """Whatever stands in it."""
    assert regions_of("left=0,0,1,1", prompts=("left=a = b, c",)) == [
        Region(name="left", boxes="0,0,1,1", prompt="a = b, c")
    ]


@pytest.mark.parametrize(
    ("regions", "prompts", "told"),
    [
        (("0,0,1,1",), (), "has no name"),
        (("a b=0,0,1,1",), (), "has no name"),
        (("a=0,0,1,1", "a=0,0,1,1"), (), "--region a is said twice"),
        (("a=0,0,1,1",), ("b=x",), "there is no --region b"),
        (("a=0,0,1,1",), ("x",), "--region-prompt 'x' has no name"),
    ],
)
def test_what_means_nothing_is_refused(
    regions: tuple[str, ...], prompts: tuple[str, ...], told: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(click.UsageError, match=told):
        regions_of(*regions, prompts=prompts)


@given(text=st.text(max_size=30) | st.from_regex(r"[a-z_=0-9.,/+ -]{0,20}", fullmatch=True))
def test_any_text_is_a_region_or_refused(text: str) -> None:
    """A refusal shows it; what is taken says the same again."""
    try:
        (region,) = regions_of(text)
    except click.UsageError as refused:
        assert repr(text) in str(refused)
    else:
        where = text.partition("=")[2]
        assert text.startswith(f"{region.name}=")
        assert (region.boxes, region.mask) in ((where, None), ("", Path(where)))


def test_masks_are_told_apart_by_a_name(tmp_path: Path) -> None:
    """A file that is there is a file, whatever its name looks like."""
    odd = tmp_path / "a=b.png"
    odd.touch()

    assert split_masks([str(odd)]) == {"mask_image": odd}
    assert split_masks(["hole.png", "hat=x.png"]) == {
        "mask_image": Path("hole.png"),
        "region_masks": {"hat": Path("x.png")},
    }
    assert split_masks([]) == {}
    with pytest.raises(click.UsageError, match="twice"):
        split_masks(["a.png", "b.png"])


def test_regions_are_sent(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """A box with a prompt and a mask; a file that is not there is named."""
    mask = tmp_path / "hat.png"
    Image.new("L", (8, 8), 255).save(mask)
    said = ["--region", "left=0,0,0.5,1", "--region-prompt", "left=a dog"]
    said += ["--region", f"hat={mask}", "--out", tmp_path]

    assert published("generate", "x", *said).code == 0

    left, hat = server.state.requests[-1].regions
    assert (left.name, left.boxes, left.prompt) == ("left", "0,0,0.5,1", "a dog")
    assert (hat.name, hat.mask) == ("hat", mask.read_bytes())
    ran = published("generate", "x", "--region", "hat=nothing.png")
    assert ran.code != 0 and "nothing.png" in ran.err
