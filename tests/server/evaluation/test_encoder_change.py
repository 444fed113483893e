# SPDX-License-Identifier: Apache-2.0
"""Figures of another encoder are told apart, and its vectors are refused."""

from dataclasses import dataclass

import numpy as np
import pytest

from tabard_registry.evidence.documents import Embedding, References
from tabard_registry.evidence.report import EncoderNote, Report, Subject
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_server.errors import NotEvaluable
from tabard_server.evaluation.encoder_change import embedded_references, remarks_on
from tabard_server.evaluation.looks import Encoders
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors

RELEASE = Subject(
    adapter=AdapterName.parse("acme/ink"),
    version=Version.parse("1.0.0"),
    digest=Digest.parse("sha256:" + "a" * 64),
)
ROWS = np.arange(12, dtype="<f4").reshape(4, 3)


@dataclass(frozen=True)
class Learned:
    """An encoder of three numbers."""

    digest: str = "c" * 64
    name: str = "mine"
    kind: EncoderKind = EncoderKind.STYLE
    is_learned: bool = True

    def embed(self, pictures: list[Picture]) -> Vectors:
        return np.stack([one.mean(axis=(0, 1)) for one in pictures]).astype(np.float32)


def report_by(encoders: Encoders) -> Report:
    notes = tuple(
        EncoderNote(name=one.name, kind=one.kind, digest=Digest.parse(f"sha256:{one.digest}"))
        for one in encoders.all.values()
    )
    grid = Digest.parse("sha256:" + "b" * 64)
    return Report(release=RELEASE, grid=grid, verdict="Success", encoders=notes)


def references_by(encoder: str, rows: bytes) -> References:
    embedding = Embedding(encoder=Digest.parse(f"sha256:{encoder}"), blob=sha256_bytes(rows))
    return References(kind="references", release=RELEASE, embeddings=(embedding,))


def test_same_encoders_need_no_remark() -> None:
    """Nor does a first release."""
    assert remarks_on(report_by(Encoders()), encoders=Encoders()) == ()
    assert remarks_on(None, encoders=Encoders()) == ()


def test_other_encoders_are_told() -> None:
    """By name, with what is compared instead; a renamed one is the same."""
    (remark,) = remarks_on(report_by(Encoders()), encoders=Encoders(style=Learned()))

    assert remark.startswith("ENCODER_CHANGED: mine did not measure the report on 1.0.0")
    renamed = Encoders(style=Learned(name="other"))
    assert remarks_on(report_by(Encoders(style=Learned())), encoders=renamed) == ()


def test_embeddings_of_the_same_encoder_are_read() -> None:
    """Rows of float32; what no encoder of today made is left alone."""
    content = ROWS.tobytes()

    found = embedded_references(
        references_by(Learned().digest, content),
        encoders=Encoders(style=Learned()),
        blob=lambda _digest: content,
    )

    assert found["style"].tolist() == ROWS.tolist()


@pytest.mark.parametrize(
    ("encoder", "content"),
    [
        ("d" * 64, ROWS.tobytes()),
        (Learned().digest, ROWS.tobytes()[:-4]),
        (Learned().digest, np.full(6, np.nan, dtype="<f4").tobytes()),
    ],
)
def test_embeddings_of_another_encoder_are_refused(encoder: str, content: bytes) -> None:
    """By its digest, or by rows that are not its own."""
    with pytest.raises(NotEvaluable) as refusal:
        embedded_references(
            references_by(encoder, content),
            encoders=Encoders(style=Learned()),
            blob=lambda _digest: content,
        )

    assert refusal.value.reason == "ENCODER_CHANGED"
    assert "publish the pictures" in refusal.value.hint
