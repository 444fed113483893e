# SPDX-License-Identifier: Apache-2.0
"""A line of two releases, what lies beside them, and wishes to have one of them evaluated."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from tabard_registry import AdapterRef, Author, Digest, Registry, Release, sha256_bytes
from tabard_registry.evidence.documents import Embedding, References
from tabard_registry.evidence.report import Subject
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
from tests.server.judgement.drawn import picture

ANN = Author(actor="ann")
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


def png_of(seed: int) -> bytes:
    """Return a small picture as a file."""
    file = io.BytesIO()
    Image.fromarray(picture(seed)).save(file, "PNG")
    return file.getvalue()


def subject_of(release: Release) -> Subject:
    """Return a release as documents name it."""
    return Subject(adapter=release.adapter, version=release.version, digest=release.digest)


def put_pictures(
    registry: Registry, release: Release, *, seeds: Sequence[int], kind: str = "references"
) -> Digest:
    """Publish pictures beside a release; return the digest of their document."""
    files = [png_of(seed) for seed in seeds]
    document = References(
        kind=kind,  # type: ignore[arg-type]
        release=subject_of(release),
        pictures=tuple(map(sha256_bytes, files)),
    )
    return registry.evidence.put(document, author=ANN, blobs=files).note.document


def put_embeddings(
    registry: Registry,
    release: Release,
    *embeddings: tuple[Digest, bytes],
    kind: str = "references",
) -> Digest:
    """Publish embeddings alone beside a release; return the digest of their document."""
    document = References(
        kind=kind,  # type: ignore[arg-type]
        release=subject_of(release),
        embeddings=tuple(
            Embedding(encoder=encoder, blob=sha256_bytes(rows)) for encoder, rows in embeddings
        ),
    )
    blobs = [rows for _encoder, rows in embeddings]
    return registry.evidence.put(document, author=ANN, blobs=blobs).note.document
