# SPDX-License-Identifier: Apache-2.0
"""Figures of another encoder are told apart."""

from tabard_registry.evidence.report import EncoderNote, Report, Subject
from tabard_registry.refs.digest import Digest
from tabard_registry.refs.names import AdapterName
from tabard_registry.refs.semver import Version
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.reports.encoder_change import remarks_on
from tests.server.encoders.learned import Learned

RELEASE = Subject(
    adapter=AdapterName.parse("acme/ink"),
    version=Version.parse("1.0.0"),
    digest=Digest.parse("sha256:" + "a" * 64),
)


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
