# SPDX-License-Identifier: Apache-2.0
"""What is no number, or out of its bounds, is told in plain words."""

import re

import click
import pytest
from click.testing import CliRunner

from tabard.cli.numbers import Number, Several, Whole
from tests.root import ROOT


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (Whole(min=1), "five", "'five' is not a valid integer."),
        (Whole(min=1), "0", "0 is not in the range x>=1."),
        (Whole(min=1), str(10**30), f"{10**30} is not in the range x<={2**63 - 1}."),
        (
            Whole(min=0, max=2**64 - 1),
            str(2**64),
            f"{2**64} is not in the range 0<=x<={2**64 - 1}.",
        ),
        (Number(min=0, max=1), "half", "'half' is not a valid number."),
        (Number(min=0, max=1), "nan", "'nan' is not a valid number."),
    ],
)
def test_wrong_number_reads_well(kind: click.ParamType[float], text: str, words: str) -> None:
    """No "valid integer range"."""
    with pytest.raises(click.BadParameter) as refusal:
        kind.convert(text, None, None)

    assert refusal.value.message == words


def test_no_command_takes_clicks_own_ranges() -> None:
    """Or its error would read worse than its neighbour's."""
    sources = (ROOT / "clients/python/tabard/cli").rglob("*.py")

    own = [path for path in sources if re.search(r"type=click\.(Int|Float)Range", path.read_text())]

    assert own == []


def test_number_without_bounds_shows_none() -> None:
    """Click would write that it is at most None."""
    command = click.Command("draw", params=[click.Option(["--guidance"], type=Number(), help="G.")])

    shown = CliRunner().invoke(command, ["--help"]).output

    assert "--guidance NUMBER" in shown
    assert "None" not in shown


def test_several_numbers_keep_their_order() -> None:
    """Each as one of them would be read; one that stands twice counts once."""
    weights, seeds = Several(Number()), Several(Whole(min=0))

    assert weights.convert("1, 0.6,1.0,0.8", None, None) == (1.0, 0.6, 0.8)
    assert seeds.convert("7", None, None) == (7,)
    assert seeds.convert((1, 2), None, None) == (1, 2)


@pytest.mark.parametrize("text", ["", "1,,2", "1,two", "-1", "1;2"])
def test_wrong_number_among_several_is_told(text: str) -> None:
    """The one that is wrong, not all of them."""
    with pytest.raises(click.BadParameter, match="is not"):
        Several(Whole(min=0)).convert(text, None, None)
