# SPDX-License-Identifier: Apache-2.0
"""References and training pictures that lie beside a release line: pictures, or only embeddings.

In: a release and its line. Out: what the newest document says, of the release itself or else of
the newest one before it that has any. Embeddings are compared with those of the same encoder only.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tabard_registry import Adapter, Registry, Release
from tabard_registry.errors import RESTORE_BLOB, CorruptRegistry
from tabard_registry.evidence.documents import REFERENCES_MIN, Embedding, References
from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import EvidenceNote
from tabard_server.engine_port.drawing import Pixels
from tabard_server.errors import NotEvaluable, invalid
from tabard_server.evaluation.looks import (
    Encoders,
    Vectors,
    look_at_training,
)
from tabard_server.evaluation.plan import Pictures
from tabard_server.evaluation.references import read_pictures
from tabard_server.judgement.pictures.encoder import Encoder
from tabard_server.judgement.pictures.variants import VARIANTS
from tabard_server.limits import Limits

_FLOAT = np.dtype("<f4")
_ROWS_MAX = 1_024
"""Pictures of which embeddings are read at all; how many are taken is a setting."""
_EMBEDDED = {"references": ("style", "subject"), "training": ("copy",)}
"""What looks at the pictures of a document, by its kind."""


class Published:
    """What was published beside release lines, as one server can use it. Blocks."""

    def __init__(self, registry: Registry, *, encoders: Encoders, limits: Limits) -> None:
        """Take where documents lie, and who can compare with embeddings."""
        self._registry = registry
        self._encoders = encoders
        self._limits = limits

    def of(self, release: Release, *, line: Adapter, kind: str) -> Pictures:
        """Return what stands for a release; nothing was published: no pictures.

        Args:
            release: The release.
            line: Its line, as far as somebody sees it.
            kind: `references` or `training`.

        Raises:
            InvalidRequest: There are too few pictures, or too many, or one cannot be read.
            NotEvaluable: There are only embeddings, of no encoder that is here (ENCODER_CHANGED).
            NotFound, CorruptRegistry: A document or a picture is lost or damaged.
        """
        note = _newest(release, line=line, kind=kind)
        if note is None:
            return Pictures()
        document = self._registry.evidence.document(note.document)
        assert isinstance(document, References)
        if len(set(document.pictures)) >= REFERENCES_MIN:
            return self._pictures(document, digest=note.document)
        return self._embeddings(document, digest=note.document)

    def _pictures(self, document: References, *, digest: Digest) -> Pictures:
        found = tuple(dict.fromkeys(document.pictures))
        self._refuse_number(len(found), kind=document.kind)
        bytes_max = self._limits.picture_bytes_max
        files = [self._registry.blobs.read(one, bytes_max=bytes_max) for one in found]
        pixels = read_pictures(files, field=document.kind, limits=self._limits)
        return Pictures(digests=found, pixels=pixels, document=digest)

    def _embeddings(self, document: References, *, digest: Digest) -> Pictures:
        names = _EMBEDDED[document.kind]
        here = {name: one for name, one in self._encoders.all.items() if name in names}
        kept = {one.encoder.hex: one for one in document.embeddings}
        usable = {name: kept[one.digest] for name, one in here.items() if one.digest in kept}
        if not usable and document.kind == "references":
            raise NotEvaluable(
                "the references that were published are embeddings of an encoder that this server "
                "does not have: numbers of different encoders cannot be compared",
                reason="ENCODER_CHANGED",
                hint="publish the references again, or send pictures with the evaluation",
            )
        vectors = {
            name: self._read(one, encoder=here[name], kind=document.kind)
            for name, one in usable.items()
        }
        for rows in vectors.values():
            self._refuse_number(len(rows), kind=document.kind)
        return Pictures(
            digests=tuple(one.blob for one in document.embeddings),
            vectors=vectors,
            document=digest,
        )

    def _read(self, embedding: Embedding, *, encoder: Encoder, kind: str) -> Vectors:
        """Read the rows of an encoder; of training pictures, those of all variants of each."""
        width = encoder.embed([np.zeros((64, 64, 3), dtype=np.uint8)]).shape[1]
        shape = (-1, width) if kind == "references" else (-1, VARIANTS, width)
        row_bytes = _FLOAT.itemsize * -int(np.prod(shape))
        bytes_max = row_bytes * _ROWS_MAX
        content = self._registry.blobs.read(embedding.blob, bytes_max=bytes_max)
        numbers = np.frombuffer(content[: len(content) // row_bytes * row_bytes], dtype=_FLOAT)
        if len(content) % row_bytes or not np.isfinite(numbers).all():
            raise CorruptRegistry(
                f"the embeddings {embedding.blob.short} are no rows of {width} finite numbers",
                reason="CORRUPT_BLOB",
                hint=f"Publish them again. {RESTORE_BLOB}",
            )
        return numbers.reshape(shape).astype(np.float32)

    def _refuse_number(self, count: int, *, kind: str) -> None:
        most = self._limits.evaluation_pictures_max
        if not REFERENCES_MIN <= count <= most:
            is_few = count < REFERENCES_MIN
            raise invalid(
                kind,
                f"{count} pictures were published, or embeddings of so many; an evaluation takes "
                f"from {REFERENCES_MIN} to {most}",
                reason="REFERENCES_TOO_FEW" if is_few else "REFERENCES_TOO_MANY",
                hint="publish more"
                if is_few
                else "publish fewer, or raise limits.evaluation_pictures_max",
            )


def embeddings_of(
    kind: str, pictures: Sequence[Pixels], *, encoders: Encoders
) -> list[tuple[Digest, bytes]]:
    """Return what can be kept instead of pictures: of each encoder, its digest and its rows."""
    found: Mapping[str, Vectors]
    if kind == "training":
        found = {"copy": look_at_training(pictures, encoders=encoders)}
    else:
        found = encoders.embed(pictures)
    return [
        (Digest.parse(f"sha256:{encoders.all[name].digest}"), found[name].astype(_FLOAT).tobytes())
        for name in _EMBEDDED[kind]
        if name in found
    ]


def _newest(release: Release, *, line: Adapter, kind: str) -> EvidenceNote | None:
    """Return the newest document of a kind, of the release or else of one before it.

    What is beside a quarantined release stands for no other: nobody knows what is wrong with it.
    """
    before = (one for one in line.releases if one.version < release.version)
    sound = (one for one in before if not (one.purged or one.quarantined))
    notes = (one.health.newest(kind) for one in (release, *sound))
    return next((note for note in notes if note is not None), None)
