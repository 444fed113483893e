# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

from tabard_registry import Registry, sha256_bytes
from tabard_registry.evidence.pairs import Pair, name_of_pairs, pairs_of
from tabard_registry.evidence.report import Candidate, Picture, Report
from tests.registry.evidence.reports import report_on
from tests.registry.fakes import publish

ONE, OTHER, THIRD = (sha256_bytes(name) for name in (b"one", b"other", b"third"))


def report(registry: Registry, folder: Path, *cells: tuple[object, object]) -> Report:
    """A report with cells of two pictures; None: there is none of that side."""
    release = publish(registry, "1.0.0", folder=folder).release
    candidates = [Candidate(image=a, prompt=n, seed=7) for n, (a, _) in enumerate(cells) if a]  # type: ignore[arg-type]
    baseline = [Picture(image=b, prompt=n, seed=7) for n, (_, b) in enumerate(cells) if b]  # type: ignore[arg-type]
    return report_on(release, candidates=tuple(candidates), baseline=tuple(baseline))


def test_pairs_have_two_different_pictures(registry: Registry, tmp_path: Path) -> None:
    """Of one cell, each pair once; where both pictures are one there is nothing to choose."""
    cells = [(ONE, OTHER), (ONE, ONE), (THIRD, None), (OTHER, ONE), (THIRD, ONE)]

    found = pairs_of(report(registry, tmp_path, *cells))

    assert [(one.prompt, one.seed, one.candidate) for one in found] == [(0, 7, ONE), (4, 7, THIRD)]


def test_name_says_nothing_of_sides() -> None:
    """The same two pictures have the same name, whoever drew which."""
    pair = Pair(prompt=0, seed=1, candidate=ONE, baseline=OTHER)
    swapped = replace(pair, candidate=OTHER, baseline=ONE)

    assert (pair.name, pair.pictures) == (swapped.name, swapped.pictures)
    assert len(pair.name) == 64
    assert pair.name != replace(pair, candidate=THIRD).name


def test_edit_has_the_pairs_of_its_report(registry: Registry, tmp_path: Path) -> None:
    """What people complete changes no picture."""
    before = report(registry, tmp_path, (ONE, OTHER), (THIRD, ONE))
    edit = replace(before, outcome="kept", edited_from=ONE)

    assert name_of_pairs(pairs_of(before)) == name_of_pairs(pairs_of(edit))
    assert name_of_pairs(pairs_of(before)) != name_of_pairs(pairs_of(before)[:1])
