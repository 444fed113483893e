# SPDX-License-Identifier: Apache-2.0
"""What digests are called: noted with their recipes, forgotten when too many came after."""

import pytest

from tabard_server.telemetry import labels
from tabard_server.telemetry.labels import Labels
from tests.server.releases import member, release


def test_noted_release_has_a_name() -> None:
    """A stranger has none."""
    found, ink = Labels(), release("acme/ink", "1.2.0")

    found.note(ink)

    assert found.of(str(ink.digest)) == ("acme/ink", "1.2.0")
    assert found.of("sha256:" + "0" * 64) == ("", "")


def test_members_are_noted_along() -> None:
    """What lies in memory of a recipe are its members."""
    found, ink = Labels(), release("acme/ink")

    found.note(release("acme/mix", members=(member(ink),)))

    assert found.of(str(ink.digest)) == ("acme/ink", "1.0.0")


def test_longest_unasked_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds, and whoever was noted again stays."""
    monkeypatch.setattr(labels, "_LABELS_MAX", 2)
    found, releases = Labels(), [release(f"acme/{name}") for name in "abc"]

    for one in (releases[0], releases[1], releases[0], releases[2]):
        found.note(one)

    names = [found.of(str(one.digest))[0] for one in releases]
    assert names == ["acme/a", "", "acme/c"]
