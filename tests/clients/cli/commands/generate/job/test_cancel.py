# SPDX-License-Identifier: Apache-2.0
"""`tabard job cancel`."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard


def test_job_that_is_over_stays_or_is_forgotten(
    drawing: Tabard, begun: str, tmp_path: Path
) -> None:
    """As it is told."""
    drawing("job", "wait", begun, "--out", str(tmp_path))

    stays = drawing("job", "cancel", begun)
    gone = drawing("job", "cancel", begun, "--forget")

    assert "is succeeded" in stays.out
    assert "is forgotten" in gone.out
    assert drawing("job", "show", begun).code != 0
