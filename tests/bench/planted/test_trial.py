# SPDX-License-Identifier: Apache-2.0
"""Planted releases get the verdicts that are promised of them, by every kind of encoder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tabard import Client
from tests.bench.planted.trial import ENCODERS, WEIGHTS, judge, judge_copies, server, write_grid

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all encoders: pictures are drawn once."""
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module", params=ENCODERS.values(), ids=ENCODERS)
def client(request: pytest.FixtureRequest, folder: Path) -> Iterator[Client]:
    with server(folder, encoders=request.param) as connected:
        yield connected


def test_planted_releases_get_their_verdicts(client: Client, folder: Path) -> None:
    """Equal, absent, overcooked, spoilt by training, broken."""
    grid = write_grid(folder)

    outcomes = [judge(client, plant, grid=grid) for plant in WEIGHTS]

    wrong = [(one.plant, one.verdict, one.reasons) for one in outcomes if not one.is_right]
    assert wrong == []


def test_copies_of_training_pictures_are_for_people(client: Client, folder: Path) -> None:
    """Plain, mirrored and moved; pictures of the same kind that are none pass."""
    outcomes = judge_copies(client, grid=write_grid(folder))

    wrong = [(one.plant, one.verdict, one.reasons) for one in outcomes if not one.is_right]
    assert wrong == []
