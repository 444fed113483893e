# SPDX-License-Identifier: Apache-2.0
"""`tabard compare` fills a folder, draws nothing twice, and says what it did."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tabard.pictures.png_text import SHEET_KEYWORD
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus

BOTH = ("acme/watercolor@1.0.0", "acme/watercolor@1.1.0")
SMALL = ("--prompt", "a cat {trigger}", "--prompt", "a dog", "--seeds", "1,2", "--steps", "2")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Paint the pictures: what is drawn is another server's test."""
    with FakeServer() as running:
        yield running


def drawn(server: FakeServer) -> int:
    return sum(type(one).__name__ == "GenerateRequest" for one in server.state.requests)


def test_everything_is_drawn_and_indexed(
    published: Tabard, server: FakeServer, tmp_path: Path
) -> None:
    """Two releases at two weights and the base, two prompts, two seeds: twenty images."""
    out = tmp_path / "looks"

    ran = published("compare", *BOTH, *SMALL, "--weights", "0.6,1", "--base", "--out", out,
                    "--json")  # fmt: skip

    assert ran.code == 0
    index = json.loads((out / "index.json").read_text(encoding="utf-8"))
    assert len(index["cells"]) == drawn(server) == 20
    assert [one["label"] for one in index["sides"]] == [
        "base",
        "acme/watercolor 1.0.0 at 0.6",
        "acme/watercolor 1.0.0 at 1",
        "acme/watercolor 1.1.0 at 0.6",
        "acme/watercolor 1.1.0 at 1",
    ]
    assert {one["file"] for one in index["cells"]} == {
        path.name for path in out.glob("*.png") if path.name != "sheet.png"
    }
    assert (ran.document["drawn"], ran.document["kept"], index["missing"]) == (20, 0, 0)
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.width > 5 * 256 and sheet.height > 4 * 256
        assert SHEET_KEYWORD in sheet.info


def test_same_command_draws_nothing_again(
    published: Tabard, server: FakeServer, tmp_path: Path
) -> None:
    """Nor does another with more weights draw what is there; what is not a picture is."""
    said = ("compare", *BOTH, *SMALL, "--out", tmp_path)
    assert published(*said).code == 0
    before = drawn(server)

    again = published(*said)
    more = published(*said, "--weights", "1,0.5")
    next(tmp_path.glob("a-dog*.png")).write_bytes(b"cut off")
    mended = published(*said, "--weights", "1,0.5")

    assert "8: 0 drawn, 8 were there" in again.out
    assert "16: 8 drawn, 8 were there" in more.out
    assert "16: 1 drawn, 15 were there" in mended.out
    assert drawn(server) == before + 9


def test_other_base_is_drawn_anew(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """Pictures of another base are none of this comparison."""
    said = ("compare", *BOTH, *SMALL, "--out", tmp_path)
    assert published(*said).code == 0
    server.state.base_fingerprint = "sha256:another"

    assert "8: 8 drawn, 0 were there" in published(*said).out


def test_what_came_before_a_failure_is_kept(
    published: Tabard, server: FakeServer, tmp_path: Path
) -> None:
    """The index tells it, a person is told, and the same command goes on."""
    said = ("compare", *BOTH, *SMALL, "--patience", "0", "--out", tmp_path)
    assert published(*said, "--seeds", "1").code == 0
    server.state.fail_accepted_with = FakeStatus(8, "the queue is full", "QUEUE_FULL", "wait")

    failed = published(*said)
    server.state.fail_accepted_with = None
    index = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    mended = published(*said)

    assert failed.code == 6 and "QUEUE_FULL" in failed.err
    assert "4 of 8 images are in" in failed.err
    assert (len(index["cells"]), index["missing"], index["sheet"]) == (4, 4, None)
    assert "8: 4 drawn, 4 were there" in mended.out


def test_prompts_come_from_a_file(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """One a line; remarks and empty lines are none."""
    file = tmp_path / "prompts.txt"
    file.write_text("# beasts\na cat\n\n  a dog  \n", encoding="utf-8")

    ran = published("compare", BOTH[0], "--prompts", file, "--seeds", "1", "--out", tmp_path / "x")

    assert ran.code == 0
    asked = {one.prompt for one in server.state.requests if hasattr(one, "num_images")}
    assert asked == {"a cat", "a dog"}


@pytest.mark.parametrize("content", [b"# nothing\n", b"\xff\xfe\x00", b"x" * (1 << 20) + b"y"])
def test_file_without_prompts_is_refused(published: Tabard, tmp_path: Path, content: bytes) -> None:
    """Nothing is drawn, and no folder made."""
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)

    ran = published("compare", BOTH[0], "--prompts", file, "--out", tmp_path / "x")

    assert ran.code == 2 and "--prompts" in ran.err
    assert not (tmp_path / "x").exists()


def test_no_prompt_is_refused(published: Tabard) -> None:
    """It says what is missing."""
    ran = published("compare", BOTH[0])

    assert ran.code == 2 and "--prompt TEXT" in ran.err


def test_class_word_is_the_base_s(published: Tabard) -> None:
    """Releases have words of their own."""
    ran = published("compare", BOTH[0], "--prompt", "a", "--class-word", "dog")

    assert ran.code == 2 and "--class-word says nothing without --base" in ran.err


def test_options_reach_the_server(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """As they are said to generate."""
    ran = published(
        "compare", BOTH[0], "--prompt", "a", "--seeds", "5", "--steps", "2", "--size", "32x16",
        "--guidance", "3", "--negative", "blur", "--sampler", "ddim", "--priority", "low",
        "--weights", "0.5", "--timeout", "60", "--out", tmp_path,
    )  # fmt: skip

    assert ran.code == 0
    request = server.state.requests[-1]
    assert (request.seed, request.num_inference_steps, request.sampler) == (5, 2, "ddim")
    assert (request.width, request.height, request.negative_prompt) == (32, 16, "blur")
    assert (request.guidance_scale, request.priority) == (3, 1)
    assert request.adapters[0].ref.endswith(":0.5")


def test_unknown_release_leaves_no_folder(published: Tabard, tmp_path: Path) -> None:
    """Refs are resolved before anything is made."""
    ran = published("compare", "acme/nothing", "--prompt", "a", "--out", tmp_path / "x")

    assert ran.code == 3
    assert not (tmp_path / "x").exists()


def test_grid_of_a_file_is_drawn(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """Its prompts, its seeds, and its steps, unless others are said."""
    file, out = tmp_path / "pets.json", tmp_path / "looks"
    prompts = [{"text": "a cat {trigger}"}, {"text": "a bridge", "control": True}]
    grid = {"prompts": prompts, "seeds": [7, 8], "steps": 3, "width": 64, "height": 64}
    file.write_text(json.dumps(grid), encoding="utf-8")

    ran = published("compare", BOTH[0], "--grid", file, "--seeds", "7", "--base", "--out", out)

    index = json.loads((out / "index.json").read_text(encoding="utf-8"))
    assert (ran.code, index["prompts"], index["seeds"]) == (0, ["a cat {trigger}", "a bridge"], [7])
    assert index["options"]["num_inference_steps"] == 3
    assert drawn(server) == len(index["cells"]) == 4
