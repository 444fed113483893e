# SPDX-License-Identifier: Apache-2.0
"""`tabard job list`."""

from tests.clients.cli.conftest import Tabard


def test_jobs_are_listed(drawing: Tabard) -> None:
    """None, then two, of which one may be asked for."""
    assert "no jobs" in drawing("job", "list").out
    for seed in ("1", "2"):
        drawing("generate", "a cat", "--seed", seed, "--detach")

    ran, told = drawing("job", "list"), drawing("job", "list", "--limit", "1", "--json").document

    assert ran.out.count("of 1") == 2
    assert len(told) == 1
