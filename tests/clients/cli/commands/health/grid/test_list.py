# SPDX-License-Identifier: Apache-2.0
"""`tabard grid list` names grids, and whose they are."""

from tests.clients.cli.conftest import Tabard


def test_shipped_grids_are_listed(tabard: Tabard) -> None:
    """One for each purpose."""
    ran = tabard("grid", "list", "--for", "acme/ink")

    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == ["concept", "style", "subject"]
    assert ran.out.count("every registry") == 3
