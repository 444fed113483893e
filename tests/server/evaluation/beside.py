# SPDX-License-Identifier: Apache-2.0
"""Pictures and embeddings that lie beside a release."""

import io
from collections.abc import Sequence

from PIL import Image

from tabard_registry import Author, Digest, Registry, Release, sha256_bytes
from tabard_registry.evidence.documents import Embedding, References
from tabard_registry.evidence.report import Subject
from tests.server.judgement.drawn import picture

ANN = Author(actor="ann")


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
