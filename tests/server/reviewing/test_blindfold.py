# SPDX-License-Identifier: Apache-2.0
"""Who has seen a report: by every server, by every edit of it, and nobody else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Registry, Release
from tabard_registry.evidence.report import Report
from tabard_registry.identity.identity import Identity, Proof
from tabard_registry.identity.roles import Grants, Role
from tabard_server.reviewing.blindfold import Blindfold
from tests.registry.evidence.reports import grid
from tests.server.reviewing.blind_reports import file_report, released


def identity(name: str = "bob", role: Role = Role.REVIEW, proof: Proof = Proof.TOKEN) -> Identity:
    """Somebody with a role in acme."""
    grants = Grants({"acme": frozenset({role})})
    return Identity(name=name, tenant=name, grants=grants, proof=proof)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty one."""
    return Registry.open(str(tmp_path / "registry"))


@pytest.fixture
def releases(registry: Registry, tmp_path: Path) -> tuple[Release, Release]:
    """A release and the one before."""
    return released(registry, tmp_path)


@pytest.fixture
def report(registry: Registry, releases: tuple[Release, Release]) -> Report:
    """A report with four pairs."""
    return file_report(registry, releases[0], against=releases[1], cells=4)


def test_reader_is_known_to_every_server(registry: Registry, report: Report) -> None:
    """And after a restart; somebody else is not."""
    Blindfold(registry).saw(report, identity=identity())
    elsewhere = Blindfold(Registry.open(registry.url))

    assert elsewhere.has_seen(report, voter="bob")
    assert not elsewhere.has_seen(report, voter="cat")


def test_edit_shows_the_same_pictures(registry: Registry, report: Report) -> None:
    """Who read the draft has seen the sides of what people made of it, and the other way round."""
    blindfold = Blindfold(registry)
    blindfold.saw(replace(report, outcome="kept"), identity=identity())

    assert blindfold.has_seen(report, voter="bob")
    assert not blindfold.has_seen(replace(report, baseline=report.baseline[:2]), voter="bob")


def test_who_evaluates_knows_the_sides(
    registry: Registry, releases: tuple[Release, Release], report: Report
) -> None:
    """Of every report on that release, and of no other."""
    Blindfold(registry).evaluates(releases[0], identity=identity())
    Blindfold(registry).evaluates(releases[1], identity=identity("cat"))
    blindfold = Blindfold(registry)

    assert blindfold.has_seen(report, voter="bob")
    assert not blindfold.has_seen(report, voter="cat")


@pytest.mark.parametrize(
    "reader",
    [
        identity(proof=Proof.NONE),
        identity(role=Role.PUBLISH),
        replace(identity(), grants=Grants({"beta": frozenset({Role.REVIEW})})),
    ],
)
def test_who_cannot_vote_is_not_kept(registry: Registry, report: Report, reader: Identity) -> None:
    """Nor who has not shown who they are: any name could be written so."""
    blindfold = Blindfold(registry)
    blindfold.saw(report, identity=reader)

    assert not blindfold.has_seen(report, voter="bob")


def test_only_reports_with_pairs_have_sides(registry: Registry, report: Report) -> None:
    """A grid, or a report on a first release, unblinds nobody."""
    blindfold = Blindfold(registry)
    first = replace(report, baseline=())
    for document in (grid(), first):
        blindfold.saw(document, identity=identity())

    assert not blindfold.has_seen(first, voter="bob")
    assert not (Path(registry.url.removeprefix("file://")) / "blind" / "seen").exists()


def test_it_is_noted_once(
    registry: Registry, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a report again asks no store."""
    blindfold = Blindfold(registry)
    blindfold.saw(report, identity=identity())

    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("the store is asked again")

    monkeypatch.setattr(registry.store, "create", fail)
    blindfold.saw(report, identity=identity())
