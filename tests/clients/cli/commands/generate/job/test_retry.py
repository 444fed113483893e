# SPDX-License-Identifier: Apache-2.0
"""`tabard job retry`."""

from pathlib import Path

from tests.clients.cli.conftest import Tabard


def test_job_that_has_its_images_stays(drawing: Tabard, begun: str, tmp_path: Path) -> None:
    """It is not drawn again."""
    drawing("job", "wait", begun, "--out", str(tmp_path))

    told = drawing("job", "retry", begun, "--json").document

    assert (told["state"], told["run"]) == ("succeeded", 1)
