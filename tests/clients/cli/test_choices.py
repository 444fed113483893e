# SPDX-License-Identifier: Apache-2.0
"""Words of a closed set, however they are written."""

import click
import pytest
from click.testing import CliRunner

from tabard.cli.choices import Named, nearest, refuse_beside, refuse_without


@pytest.mark.parametrize(
    ("word", "found"), [("Euler_A", "euler_a"), ("eulr_a", "euler_a"), ("xyz", None)]
)
def test_nearest_word_is_found(word: str, found: str | None) -> None:
    """Or none, when none is near."""
    assert nearest(word, ("ddim", "euler_a")) == found


def test_choice_takes_any_case() -> None:
    """And gives the word as it is known."""
    assert Named(("style", "subject")).convert("STYLE", None, None) == "style"


@pytest.mark.parametrize(("word", "meant"), [("stile", " Did you mean 'style'?"), ("poem", "")])
def test_wrong_choice_names_the_nearest(word: str, meant: str) -> None:
    """Behind all that there are."""
    with pytest.raises(click.BadParameter) as caught:
        Named(("style", "subject")).convert(word, None, None)

    assert caught.value.message == f"'{word}' is not one of 'style', 'subject'.{meant}"


@click.command()
@click.option("--only/--all", default=False)
@click.option("--size", envvar="PROBE_SIZE", default=3)
@click.option("--sheet", default="")
def probe(*, only: bool, size: int, sheet: str) -> None:
    """Take a size, but for `--only`, and a sheet with nothing else."""
    if only:
        refuse_beside("--only", "size", because="which has none")
    else:
        refuse_without("--only", "sheet")
    click.echo(size)


@pytest.mark.parametrize(
    ("said", "environment"), [(["--size", "3"], {}), ([], {"PROBE_SIZE": "3"})], ids=str
)
def test_option_without_effect_is_refused(said: list[str], environment: dict[str, str]) -> None:
    """Where somebody said it, also if it is the default."""
    ran = CliRunner().invoke(probe, ["--only", *said], env=environment)

    assert (ran.exit_code, "--size says nothing to --only, which has none" in ran.output) == (
        2,
        True,
    )


def test_default_is_no_option_that_is_said() -> None:
    """It stands in the way of nothing."""
    assert CliRunner().invoke(probe, ["--only"]).exit_code == 0


def test_option_alone_is_refused() -> None:
    """What counts beside another one has no effect without it."""
    alone = CliRunner().invoke(probe, ["--sheet", "x"])

    assert (alone.exit_code, "--sheet says nothing without --only" in alone.output) == (2, True)
    assert CliRunner().invoke(probe, ["--only", "--sheet", "x"]).exit_code == 0
