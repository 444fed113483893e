# SPDX-License-Identifier: Apache-2.0
"""`tabard diff`: what differs most, in a table."""

from pathlib import Path

from tabard.cli.commands.release.diff import beginning
from tests.clients.cli.conftest import Tabard

REFS = ("acme/watercolor@1.0.0", "acme/watercolor@1.1.0")


def test_diff_shows_what_differs(published: Tabard) -> None:
    """Sums, the layers that differ with ranks and norms, and what is said differently."""
    ran = published("diff", *REFS)

    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines == [
        "acme/watercolor 1.0.0 beside acme/watercolor 1.1.0",
        "layers 4: 3 in both, 1 only in the first, 0 only in the second; 2 differ",
        "norm 6.928 and 8.944",
        "distance 5",
        "component layer rank norm distance",
        "unet a 4 → 8 4 → 8 5",
        "unet b 4 → none 4 → none",
        "says 1.0.0 1.1.0",
        "notes soft",
        "training.config a b",
    ]


def test_every_layer_can_be_shown(published: Tabard) -> None:
    """Those that are the same, and those that nothing is known of."""
    lines = [" ".join(line.split()) for line in published("diff", *REFS, "--all").out.splitlines()]

    assert "unet c OFT ? ?" in lines
    assert "unet d 4 4 0" in lines


def test_same_release_says_so(published: Tabard) -> None:
    """There is nothing to compare."""
    assert "the same release" in published("diff", REFS[0], REFS[0]).out


def test_diff_is_a_document(published: Tabard) -> None:
    """With everything in it; what is not known is null."""
    document = published("diff", *REFS, "--json").document

    assert [one["name"] for one in document["layers"]] == ["a", "b", "c", "d"]
    assert document["layers"][1]["right"] is None
    assert document["layers"][2]["left"] == {"method": "OFT", "rank": 0, "norm": None}


def test_long_text_is_cut() -> None:
    """A configuration that only one side has would fill the screen; one line is never hidden."""
    nine, ten = ("\n".join(map(str, range(count))) for count in (9, 10))

    assert beginning(nine) == nine
    assert beginning(ten).splitlines()[-2:] == ["7", "… 2 more lines: --json"]


def test_columns_of_two_lines_are_told_apart(published: Tabard, other_file: Path) -> None:
    """By their names: their versions may be the same."""
    file = other_file.with_name("ink.safetensors")
    file.write_bytes(b"ink")
    assert published("publish", "acme/ink", file, "--version", "1.0.0").code == 0

    ran = published("diff", "acme/watercolor@1.0.0", "acme/ink@1.0.0")

    (heading,) = [line for line in ran.out.splitlines() if line.startswith("says")]
    assert " ".join(heading.split()) == "says acme/watercolor 1.0.0 acme/ink 1.0.0"
