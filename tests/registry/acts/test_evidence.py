# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path

import pytest

from tabard_registry import AdapterName, Registry, sha256_bytes
from tabard_registry.acts.evidence import announce, find_grid
from tabard_registry.errors import InvalidName, PreconditionFailed
from tests.registry.evidence.reports import ANN, BOB, grid, put_report, report_on
from tests.registry.fakes import NAME, publish, ref


def test_collection_between_is_refused(registry: Registry, tmp_path: Path) -> None:
    """What looked stored may be gone: it is looked for again."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    with pytest.raises(PreconditionFailed) as refused:
        registry.commit(announce(report_on(release), gc_seq=7), author=ANN)

    assert refused.value.reason == "BYTES_COLLECTED"


def test_line_has_its_own_grid(registry: Registry) -> None:
    """Before that of its namespace; a grid needs no release."""
    registry.evidence.put_grid(grid(), place="acme", author=ANN)
    of_the_line = registry.evidence.put_grid(grid(steps=9), place="acme/ink", author=ANN)

    assert find_grid(registry.state, NAME, name="small") == of_the_line.subject
    assert registry.evidence.grid(AdapterName("acme", "oil"), name="small") == grid()
    assert registry.evidence.grid(NAME, name="large") is None
    again = registry.evidence.put_grid(grid(steps=9), place="acme/ink", author=ANN)
    assert not again.changed
    with pytest.raises(InvalidName):
        registry.evidence.put_grid(grid(), place="a/b/c", author=ANN)


def test_same_inputs_are_one_report(registry: Registry, tmp_path: Path) -> None:
    """A draft that rests on what a report rests on is that report, in its newest edit."""
    release, inputs = publish(registry, "1.0.0", folder=tmp_path).release, sha256_bytes(b"inputs")
    first = put_report(registry, release, inputs=inputs)

    again = put_report(registry, release, verdict="Failed", inputs=inputs)

    assert first.note.inputs == inputs
    assert (again.created, again.note) == (False, first.note)
    edit = replace(report_on(release, inputs=inputs), outcome="kept")
    edited = registry.evidence.edit(
        ref("1.0.0"), original=first.note.document, wanted=edit, author=BOB
    )
    assert edited.created
    assert put_report(registry, release, inputs=inputs).note == edited.note
    assert put_report(registry, release, inputs=sha256_bytes(b"others")).created
