# SPDX-License-Identifier: Apache-2.0
"""Wishes, and what pins them, on a registry with two releases of a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tabard_registry import AdapterRef, Registry, Release
from tabard_registry.identity.identity import ANYBODY, Identity
from tabard_registry.trust.signatures import Verifier
from tabard_server.callers.caller import Caller
from tabard_server.evaluation.drawer import Asker
from tabard_server.evaluation.events import Wish
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.pinning import Pinning
from tabard_server.evaluation.plan import Origin
from tabard_server.evaluation.published import Published
from tabard_server.evaluation.shipped_grids import shipped_grids
from tabard_server.limits import Limits
from tabard_server.publishing.author import author_of
from tests.server.adapters.published_lora import publish_lora
from tests.server.evaluation.beside import ANN

ORIGIN = Origin(
    base_family="sd1",
    base_fingerprint="sha256:" + "a" * 64,
    device="cpu",
    dtype="float32",
    libraries={"fake": "1.0"},
    pixel_multiple=8,
)
SHIPPED = shipped_grids(width=64, height=64, steps=4, guidance_scale=5.0)


@contextmanager
def registry_with_a_line(folder: Path) -> Iterator[Registry]:
    """Open a registry with `acme/ink`, 1.0.0 in service and 1.1.0 its successor."""
    registry = Registry.open(str(folder / "registry"))
    for version in ("1.0.0", "1.1.0"):
        publish_lora(registry, folder=folder, version=version)
    registry.promote(AdapterRef.parse("acme/ink@1.0.0"), channel="stable", author=ANN)
    yield registry
    registry.close()


def release_of(registry: Registry, ref: str) -> Release:
    """Return a release."""
    return registry.state.find(AdapterRef.parse(ref))


def pinning_in(registry: Registry) -> Pinning:
    """Return what pins on a registry."""
    limits = Limits()
    return Pinning(
        registry,
        grids=SHIPPED,
        resolve_sampler=lambda name: name.lower(),
        default_sampler="DDIM",
        origin=ORIGIN,
        verifier=Verifier(),
        published=Published(registry, encoders=Encoders(), limits=limits),
        limits=limits,
    )


def wish(ref: str = "acme/ink@1.1.0", *, identity: Identity = ANYBODY, **said: Any) -> Wish:
    """Return a wish of somebody."""
    return Wish(
        ref=ref,
        asker=Asker(caller=Caller("somebody", tenant="acme"), identity=identity),
        author=author_of("tester", reason="", request_id="", identity=identity),
        **said,
    )
