# SPDX-License-Identifier: Apache-2.0
"""Figures of another encoder are told apart."""

from dataclasses import dataclass

import numpy as np

from tabard_registry.evidence.report import EncoderNote, Report, Subject
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.reports.encoder_change import remarks_on
from tabard_server.judgement.pictures.encoder import EncoderKind, Picture, Vectors

RELEASE = Subject(
    adapter=AdapterName.parse("acme/ink"),
    version=Version.parse("1.0.0"),
    digest=Digest.parse("sha256:" + "a" * 64),
)


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
