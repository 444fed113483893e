# SPDX-License-Identifier: Apache-2.0
"""Two releases side by side."""

from pathlib import Path

import tabard
from tabard import Client


def test_releases_are_compared(stocked: Client, style_file: Path) -> None:
    """What is not known, or not there, is None."""
    found = stocked.diff("acme/ink@1.0.0", "acme/ink@1.0.0")

    first, second, third, _same = found.layers
    assert (first.distance, second.right, second.distance) == (5.0, None, None)
    assert third.left == tabard.LayerSide(method="OFT", rank=0, norm=None)
    assert found.fields[0] == tabard.FieldDiff(name="notes", left="soft", right="")
