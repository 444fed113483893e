# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Registry, sha256_bytes
from tabard_registry.errors import CorruptRegistry, InvalidField
from tabard_registry.evidence.documents import (
    Embedding,
    Previews,
    References,
    digest_of,
    document_from_json,
    read_document,
    read_kept,
    to_bytes,
)
from tabard_registry.evidence.report import Against, EncoderNote, Picture, Score
from tests.registry.evidence.reports import (
    ALL_CLEAR,
    PICTURES,
    grid,
    references_of,
    report_on,
    subject_of,
)
from tests.registry.fakes import publish


def test_documents_come_back(registry: Registry, tmp_path: Path) -> None:
    """Each kind is read as it was written, and has the digest of its bytes."""
    release = publish(registry, "1.0.0", folder=tmp_path).release
    digest = sha256_bytes(PICTURES[0])
    told = subject_of(release)
    report = report_on(
        release,
        checks=ALL_CLEAR,
        against=Against(version=release.version, digest=digest),
        encoders=(EncoderNote(name="lab", kind="style", digest=digest),),
        scores=(Score(name="style", state="not_checked", reason="blind"),),
    )
    embedded = References(
        kind="training", release=told, embeddings=(Embedding(encoder=digest, blob=digest),)
    )
    cells = (Picture(image=digest, prompt=0, seed=1),)

    documents = (grid(), report, embedded, Previews(release=told, cells=cells))

    for document in documents:
        assert read_document(to_bytes(document)) == document
        assert digest_of(document) == sha256_bytes(to_bytes(document))
    assert [len(set(one.blobs)) for one in documents] == [0, 5, 1, 1]


def test_four_different_references(registry: Registry, tmp_path: Path) -> None:
    """The same picture twice is one; embeddings alone are taken."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    with pytest.raises(InvalidField, match="3 different pictures") as refused:
        references_of(release, *PICTURES[:3], PICTURES[0])

    assert refused.value.reason == "REFERENCES_TOO_FEW"


def test_document_without_a_version_says_what_to_write() -> None:
    """Whoever writes a grid by hand is not told of another version of Tabard."""
    with pytest.raises(InvalidField, match='write "v": 1') as refused:
        document_from_json({"kind": "grid"})

    assert refused.value.reason == "FIELD_INVALID"


def test_kept_document_of_another_version() -> None:
    """What lies in a registry and cannot be read is damage, with a remedy."""
    with pytest.raises(CorruptRegistry, match="another version") as refused:
        read_kept(b'{"v":2,"kind":"grid"}', digest=sha256_bytes(b""))

    assert "upgrade" in refused.value.hint
