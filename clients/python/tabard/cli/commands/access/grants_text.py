# SPDX-License-Identifier: Apache-2.0
"""How roles by namespace are told to people, and read from their options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def grants_text(grants: Mapping[str, Iterable[str]]) -> str:
    """Say who may do what where, one namespace a line."""
    return "\n".join(f"{namespace}: {', '.join(roles)}" for namespace, roles in grants.items())
