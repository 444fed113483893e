# SPDX-License-Identifier: Apache-2.0
"""Records that a test writes to follow them."""

from tabard_registry import Author, Registry, acts


def act(registry: Registry, *, flag: bool) -> None:
    """Write one record."""
    registry.commit(acts.set_policy("acme", require_signature=flag), author=Author(actor="t"))
