# SPDX-License-Identifier: Apache-2.0
"""Records that a test writes to follow them."""

from tabard_registry import Author, Registry, acts
from tabard_registry.release.keys import Policy


def act(registry: Registry, *, flag: bool) -> None:
    """Write one record."""
    policy = Policy(namespace="acme", require_signature=flag)
    registry.commit(acts.set_policy(policy), author=Author(actor="t"))
