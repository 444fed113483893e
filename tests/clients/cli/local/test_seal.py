# SPDX-License-Identifier: Apache-2.0
"""One check of a machine: pickles are read in a sealed process, or the reason why not."""

import pytest

from tabard.cli.local.seal import pickle_check
from tabard_server.pickles import reader


def test_sealed_process_is_tried() -> None:
    """A real process seals itself and says what holds it."""
    check = pickle_check()

    assert (check.name, check.verdict, check.remedy) == ("pickles", "ok", "")
    assert check.detail.endswith("seccomp")


def test_missing_seal_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else works there, so it warns, with what is missing and what helps."""
    monkeypatch.setattr(
        reader, "_command", lambda _limits: ["/bin/sh", "-c", "echo unsealed; echo x: no; echo Y."]
    )

    check = pickle_check()

    assert check.verdict == "warn"
    assert check.detail.endswith("cannot be sealed here: x: no")
    assert check.remedy.startswith("Y.")
