# SPDX-License-Identifier: Apache-2.0
"""`tabard generate` writes images with telling names and a contact sheet."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tabard.cli import program
from tabard.cli.commands.generate import gallery
from tabard.pictures.png_text import SHEET_KEYWORD
from tabard.v1 import generation_service_pb2 as pb
from tests.clients.cli.conftest import Tabard
from tests.clients.fakes.server import FakeServer
from tests.clients.fakes.state import FakeStatus


def test_images_have_telling_names(published: Tabard, tmp_path: Path) -> None:
    """Prompt, stack and seed are in the name; several images come with a sheet."""
    out = tmp_path / "images"
    stack = ("--adapter", "acme/watercolor@1.0.0:0.8")

    ran = published("generate", "A red circle!", *stack, "--seed", 7, "--count", 2, "--out", out)

    assert ran.code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "a-red-circle--watercolor-1.0.0x0.8--7--sheet.png",
        "a-red-circle--watercolor-1.0.0x0.8--7.png",
        "a-red-circle--watercolor-1.0.0x0.8--8.png",
    ]
    assert "wears acme/watercolor 1.0.0 at 0.8" in ran.out
    with Image.open(out / "a-red-circle--watercolor-1.0.0x0.8--7--sheet.png") as sheet:
        assert sheet.width > 2 * 128
        assert SHEET_KEYWORD in sheet.info


def test_every_option_is_sent(published: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """What is said on the command line reaches the server."""
    options = ["--steps", 5, "--size", "32x16", "--guidance", 3.5, "--negative", "blur"]
    options += ["--sampler", "euler_a", "--deterministic", "--seed", 0, "--timeout", 30]

    ran = published("generate", "x", *options, "--out", tmp_path, "--json")

    request = server.state.requests[-1]
    assert (request.num_inference_steps, request.width, request.height) == (5, 32, 16)
    assert (request.guidance_scale, request.negative_prompt) == (3.5, "blur")
    assert (request.sampler, request.deterministic, request.HasField("seed")) == (
        "euler_a",
        True,
        True,
    )
    assert ran.document["images"][0]["seed"] == 0


def test_reading_and_picture_are_sent(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """Files go as they are; sizes are written as widths and heights, and sent so."""
    image, mask = tmp_path / "photo.png", tmp_path / "hole.png"
    for file in (image, mask):
        Image.new("RGB", (8, 8)).save(file)
    options = ["--clip-skip", 1, "--prompt-syntax", "A1111", "--prompt-windows", 2]
    options += ["--token-match", "Anywhere", "--auto-trigger"]
    options += ["--image", image, "--mask", mask, "--strength", 0.6]
    options += ["--original-size", "256x128", "--crop-top-left", "8,16", "--target-size", "96x32"]

    ran = tabard("generate", "x", *options, "--out", tmp_path)

    request = server.state.requests[-1]
    assert ran.code == 0
    assert (request.clip_skip, request.prompt_windows_max, request.strength) == (1, 2, 0.6)
    assert request.prompt_syntax == pb.PROMPT_SYNTAX_A1111
    assert request.auto_trigger
    assert request.token_match == pb.TOKEN_MATCH_ANYWHERE
    assert (request.image, request.mask_image) == (image.read_bytes(), mask.read_bytes())
    assert (request.original_size.width, request.original_size.height) == (256, 128)
    assert (request.crop_top_left.top, request.crop_top_left.left) == (8, 16)
    assert (request.target_size.width, request.target_size.height) == (96, 32)


def test_walk_is_sent(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """How steps lie, as words and as lists."""
    options = ["--timestep-spacing", "trailing", "--schedule", "SGM Uniform", "--eta", 0.5]
    options += ["--timesteps", "999,499", "--sigmas", "14.5, 1,0"]

    ran = tabard("generate", "x", *options, "--out", tmp_path)

    request = server.state.requests[-1]
    assert ran.code == 0
    assert (request.timestep_spacing, request.schedule) == ("trailing", "SGM Uniform")
    assert ([*request.timesteps], [*request.sigmas]) == ([999, 499], [14.5, 1.0, 0.0])
    assert request.eta == 0.5


def test_unsaid_options_are_not_sent(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """The server's own defaults hold for what the command line leaves out."""
    tabard("generate", "x", "--out", tmp_path)

    said = {field.name for field, _ in server.state.requests[-1].ListFields()}
    assert said == {"prompt", "num_images", "request_id"}


@pytest.mark.parametrize(
    "options",
    [
        ("--image", "nowhere.png"),
        ("--strength", 0),
        ("--strength", 1.5),
        ("--clip-skip", -1),
        ("--prompt-syntax", "compel"),
        ("--token-match", "some"),
        ("--seed", -2),
        ("--prompt-windows", 0),
        ("--original-size", "256"),
        ("--crop-top-left", "8x16"),
        ("--timesteps", "999,a"),
        ("--sigmas", "1;0"),
        ("--eta", 2),
    ],
)
def test_wrong_option_is_usage_error(
    tabard: Tabard, server: FakeServer, options: tuple[str, object]
) -> None:
    """What cannot be meant is told before a server is asked."""
    ran = tabard("generate", "x", *options)

    assert (ran.code, server.state.requests) == (2, [])
    assert options[0] in ran.err


def test_json_lists_files_and_pins(published: Tabard, tmp_path: Path) -> None:
    """A script finds each file, its provenance, and what it wears."""
    ran = published(
        "generate", "x", "--adapter", "acme/watercolor", "--sheet", "--out", tmp_path, "--json"
    )

    document = ran.document
    assert Path(document["images"][0]["file"]).is_file()
    assert Path(document["sheet"]).is_file()
    assert document["worn"][0]["version"] == "1.1.0"
    assert document["images"][0]["provenance"]["prompt"] == "x"
    assert ran.err == ""


def test_other_image_is_not_overwritten(tabard: Tabard, tmp_path: Path) -> None:
    """The same name with other content gets a number; the same content does not."""
    tabard("generate", "x", "--seed", 1, "--out", tmp_path)
    tabard("generate", "x", "--seed", 1, "--out", tmp_path)

    tabard("generate", "X", "--seed", 1, "--out", tmp_path)

    assert sorted(path.name for path in tmp_path.glob("x-*.png")) == ["x--1-2.png", "x--1.png"]


def test_sheet_is_not_overwritten(tabard: Tabard, tmp_path: Path) -> None:
    """A sheet of the same name that shows something else stays."""
    tabard("generate", "x", "--seed", 1, "--count", 2, "--out", tmp_path)
    first = (tmp_path / "x--1--sheet.png").read_bytes()

    ran = tabard("generate", "x", "--seed", 1, "--count", 3, "--out", tmp_path, "--json")

    assert (tmp_path / "x--1--sheet.png").read_bytes() == first
    assert ran.document["sheet"] == str(tmp_path / "x--1--sheet-2.png")


def test_folder_is_tried_before_drawing(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """Nobody is asked for pictures that nothing can hold."""
    (tmp_path / "file").write_bytes(b"")

    ran = tabard("generate", "x", "--out", tmp_path / "file" / "deep", "--json")

    assert (ran.code, server.state.requests) == (5, [])
    assert ran.document["error"]["reason"] == "FOLDER_UNWRITABLE"


def test_refused_job_leaves_no_folder(tabard: Tabard, tmp_path: Path) -> None:
    """None that was made for it."""
    ran = tabard("generate", "x", "--adapter", "acme/no", "--out", tmp_path / "a" / "b")

    assert (ran.code, list(tmp_path.glob("a"))) == (3, [])


def test_pictures_outlive_a_failure(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """What was drawn before the job ended is kept, and said."""
    server.state.fail_image_with = FakeStatus(10, "it was quarantined", "RELEASE_QUARANTINED")

    ran = tabard("generate", "x", "--seed", 1, "--count", 3, "--out", tmp_path)

    assert (ran.code, "it was quarantined" in ran.err) == (5, True)
    assert f"drawn before that: {tmp_path / 'x--1.png'}" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["x--1.png"]


def test_pictures_outlive_a_full_folder(
    tabard: Tabard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where saving fails they are kept elsewhere, and the error says where."""
    spare, out = tmp_path / "spare", tmp_path / "out"
    spare.mkdir()
    monkeypatch.setattr(gallery.tempfile, "tempdir", str(spare))
    monkeypatch.setattr(gallery, "_written", _refusing(out))

    ran = tabard("generate", "x", "--seed", 1, "--out", out)

    [kept] = spare.rglob("x--1.png")
    assert (ran.code, str(kept.parent) in ran.err, str(kept) in ran.out) == (1, True, True)


def _refusing(full: Path) -> Any:
    written = gallery._written

    def write(path: Path, content: bytes) -> Path:
        if path.parent == full:
            raise OSError(28, "No space left on device")
        return written(path, content)

    return write


def test_interrupt_exits_130(tabard: Tabard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends quietly with the code that shells expect."""

    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program.commands, "main", interrupt)

    ran = tabard("generate", "x")

    assert (ran.code, ran.err) == (130, "interrupted\n")


def test_seed_of_uis_is_drawn(tabard: Tabard, server: FakeServer, tmp_path: Path) -> None:
    """-1 is what UIs write for a random seed, and an empty prompt is sent as one."""
    ran = tabard("generate", "", "--seed", -1, "--out", tmp_path)

    request = server.state.requests[-1]
    assert (ran.code, request.prompt, request.HasField("seed")) == (0, "", False)
