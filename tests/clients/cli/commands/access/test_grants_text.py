# SPDX-License-Identifier: Apache-2.0
"""Roles are told one namespace a line."""

from tabard.cli.commands.access.grants_text import grants_text


def test_grants_are_lines() -> None:
    """In their order."""
    assert grants_text({"*": ("generate",), "acme": ("publish", "promote")}) == (
        "*: generate\nacme: publish, promote"
    )
