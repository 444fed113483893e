# SPDX-License-Identifier: Apache-2.0
"""`tabard policy show`: what a namespace asks for, as sentences."""

from pathlib import Path

import pytest

from tabard.cli import exit_codes
from tests.clients.cli.conftest import Tabard


@pytest.mark.parametrize("is_here", [True, False])
def test_policy_is_told(tabard: Tabard, place: Path, is_here: bool) -> None:
    """Before anything was said of a namespace it asks for nothing."""
    where = ("--registry", place) if is_here else ()
    before = tabard("policy", "show", "acme", *where).out
    every = ("--private", "--require-identity", "--require-signature")
    tabard("policy", "set", "acme", *every, *where)

    after = tabard("policy", "show", "acme", *where).out

    assert "everybody" in before and "every release" in before
    assert "those who may generate with it" in after
    assert "only authors who have shown who they are" in after
    assert "only signed releases" in after


def test_namespace_must_be_one(tabard: Tabard, place: Path) -> None:
    """What cannot be one is not shown as one."""
    ran = tabard("policy", "show", "No Such", "--registry", place)

    assert ran.code == exit_codes.INVALID
