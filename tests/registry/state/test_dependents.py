# SPDX-License-Identifier: Apache-2.0
"""What would notice a withdrawal, before and after a checkpoint."""

from pathlib import Path

from tabard_registry import AdapterName, AdapterRef, Author, Registry, ReleaseDraft, Version
from tabard_registry.state.dependents import dependents_of
from tests.registry.fakes import NAME, promote, publish, ref

ANN = Author(actor="ann", reason="because")
MIX = AdapterName("acme", "mix")


def mixed(registry: Registry, version: str) -> None:
    """Publish a recipe of 1.0.0."""
    registry.publish_recipe(
        ReleaseDraft(adapter=MIX, version=Version.parse(version)),
        members=[AdapterRef.parse(f"{NAME}@1.0.0:0.5")],
        author=ANN,
    )


def test_channels_and_recipes_are_found(registry: Registry, tmp_path: Path) -> None:
    """Those that mean this release; what was purged wears nothing any more."""
    for version in ("1.0.0", "1.1.0"):
        publish(registry, version, folder=tmp_path)
    promote(registry, "1.0.0")
    promote(registry, "1.0.0", channel="canary")
    promote(registry, "1.1.0")
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        mixed(registry, version)
    registry.purge(AdapterRef.parse(f"{MIX}@2.0.0"), author=ANN)

    found = dependents_of(registry.state, registry.state.find(ref("1.0.0")))
    other = dependents_of(registry.state, registry.state.find(ref("1.1.0")))

    assert found.channels == ("canary",)
    assert [str(one) for one in found.recipes] == ["acme/mix@1.0.0", "acme/mix@1.1.0"]
    assert (other.channels, other.recipes) == (("stable",), ())


def test_recipes_are_found_in_a_checkpoint(tmp_path: Path) -> None:
    """Lines that nobody has looked at since are looked through as text."""
    place = str(tmp_path / "registry")
    registry = Registry.open(place)
    publish(registry, "1.0.0", folder=tmp_path)
    mixed(registry, "1.0.0")
    registry.checkpoint()
    registry.close()

    again = Registry.open(place)
    found = dependents_of(again.state, again.state.find(ref("1.0.0")))

    assert [str(one) for one in found.recipes] == ["acme/mix@1.0.0"]
