# SPDX-License-Identifier: Apache-2.0
"""`tabard key policy`: what a namespace asks of the releases it serves."""

from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tabard_registry import Registry
from tests.clients.cli.conftest import Tabard


def test_policy_must_be_said(tabard: Tabard, place: Path) -> None:
    """Neither yes nor no is a wrong command line."""
    assert tabard("key", "policy", "acme").code == exit_codes.USAGE


@pytest.mark.parametrize(
    ("said", "served"),
    [("--require-signature", "only signed releases"), ("--no-require-signature", "every release")],
)
def test_policy_is_written(tabard: Tabard, place: Path, said: str, served: str) -> None:
    """As a sentence, and in the log with who and why."""
    ran = tabard("key", "policy", "acme", said, "--reason", "audit")

    state = Registry.open(str(place)).state
    assert ran.out == f"acme serves {served}\n"
    assert state.policies["acme"].require_signature == (said == "--require-signature")
    assert Registry.open(str(place)).since(1)[0].record.reason == "audit"
