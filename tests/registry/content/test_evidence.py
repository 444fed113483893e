# SPDX-License-Identifier: Apache-2.0
"""Evidence in a registry: bytes first, then the act; and what upkeep makes of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabard_registry import Author, Digest, Grants, Registry, Release, Role, sha256_bytes
from tabard_registry.content.blobs import blob_key
from tabard_registry.errors import CorruptRegistry, Forbidden, NotFound, PreconditionFailed
from tabard_registry.evidence.documents import digest_of, to_bytes
from tabard_registry.evidence.report import Goal, PromptNote, Report
from tabard_registry.identity.identity import Proof
from tabard_registry.release.gates import Gate
from tabard_registry.state.sight import seen_by, told_to
from tabard_registry.upkeep.fsck.fsck import check_registry
from tabard_registry.upkeep.garbage import Collected, collect
from tabard_registry.upkeep.transfer import export_registry, import_registry
from tests.registry.evidence.reports import (
    ANN,
    BOB,
    PICTURES,
    grid,
    put_report,
    references_of,
    report_on,
)
from tests.registry.fakes import NAME, publish, ref

SHOWN = [sha256_bytes(png) for png in PICTURES]


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """One release by ann."""
    return publish(registry, "1.0.0", folder=tmp_path).release


def there(registry: Registry, digests: list[Digest] = SHOWN) -> int:
    """How many blobs are there."""
    return sum(map(registry.blobs.is_there, digests))


def collected(registry: Registry) -> Collected:
    """Collect everything that nothing needs."""
    return collect(registry, min_age_seconds=0, dry_run=False, author=ANN)


def test_report_is_announced_once(registry: Registry, release: Release) -> None:
    """The same again writes nothing, and what comes back is what was put."""
    first, second = put_report(registry, release), put_report(registry, release)

    (kept,) = registry.evidence.of(ref("1.0.0"), kind="report")
    assert (first.created, second.created, registry.seq) == (True, False, 2)
    assert (kept.document, kept.note) == (report_on(release), first.note)
    assert (kept.note.verdict, kept.note.told.actor) == ("Success", "ann")
    assert registry.queries.history(NAME)[-1].type == "evidence"


def test_nothing_missing_is_announced(registry: Registry, release: Release) -> None:
    """A picture that is neither given nor there stops it before the act."""
    with pytest.raises(NotFound, match="lists sha256:") as refused:
        registry.evidence.put(
            report_on(release), author=ANN, blobs=[*PICTURES[:3], to_bytes(grid())]
        )

    assert (refused.value.reason, registry.seq) == ("BLOB_NOT_FOUND", 1)
    assert not registry.state.adapter(NAME).by_digest[release.digest].health.evidence


def test_crash_before_the_act_leaves_garbage(
    registry: Registry, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes without an act are nobody's; with it, what it names is there."""
    monkeypatch.setattr(registry.evidence, "_commit", _die)
    with pytest.raises(KeyboardInterrupt):
        put_report(registry, release)
    monkeypatch.undo()

    assert there(registry) == len(PICTURES)
    assert Registry.open(registry.url).seq == 1
    assert collected(registry).blobs == len(PICTURES) + 2
    put_report(registry, release)
    assert (there(registry), check_registry(registry, deep=True).errors) == (len(PICTURES), 0)


def test_collection_keeps_what_evidence_shows(registry: Registry, release: Release) -> None:
    """Pictures, the grid, documents; also of an edit, and of a grid that was replaced."""
    put_report(registry, release)
    registry.evidence.put_grid(grid("faces"), place="acme", author=ANN)
    registry.evidence.put_grid(grid("faces", steps=9), place="acme", author=ANN)

    assert collected(registry).blobs == 0
    assert registry.evidence.grid(NAME, name="faces") == grid("faces", steps=9)
    assert registry.evidence.document(digest_of(grid("faces"))) == grid("faces")


def test_unreadable_document_stops_a_collection(registry: Registry, release: Release) -> None:
    """Which pictures it needs is not known: nothing at all is deleted."""
    note = put_report(registry, release).note
    stray = registry.blobs.put_bytes(b"garbage")
    path = registry.blobs.path(note.document)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"{}")

    with pytest.raises(CorruptRegistry):
        collected(registry)

    assert there(registry, [stray, *SHOWN]) == 1 + len(SHOWN)
    problems = [one.key for one in check_registry(registry, deep=False).findings]
    assert blob_key(note.document) in problems


def test_purge_takes_the_pictures(registry: Registry, release: Release, tmp_path: Path) -> None:
    """Its documents stay, and so do pictures that another release's evidence shows too."""
    other = publish(registry, "1.1.0", folder=tmp_path).release
    note = put_report(registry, release).note
    shared = references_of(other, *PICTURES[1:], b"more")
    registry.evidence.put(shared, author=ANN, blobs=[b"more"])
    export_registry(registry, tmp_path / "early")

    registry.purge(ref("1.0.0"), author=Author(actor="ann", reason="consent withdrawn"))

    assert [registry.blobs.is_there(digest) for digest in SHOWN] == [False, True, True, True]
    assert registry.evidence.document(note.document) == report_on(release)
    export_registry(registry, tmp_path / "early")
    copied = Registry.open(str(tmp_path / "early"))
    assert [copied.blobs.is_there(digest) for digest in SHOWN] == [False, True, True, True]
    with pytest.raises(PreconditionFailed, match="was purged"):
        put_report(registry, release, verdict="Failed")


def test_backup_holds_evidence(registry: Registry, release: Release, tmp_path: Path) -> None:
    """A restored registry has documents, pictures, reviews and grids."""
    put_report(registry, release)
    note = release_of(registry).health.report
    assert note is not None
    registry.evidence.review(ref("1.0.0"), decision="approve", evidence=note.document, author=BOB)
    registry.evidence.put_grid(grid(), place="acme/ink", author=ANN)

    export_registry(registry, tmp_path / "backup")
    import_registry(tmp_path / "backup", str(tmp_path / "restored"))

    restored = Registry.open(str(tmp_path / "restored"))
    assert there(restored) == len(PICTURES)
    assert restored.evidence.of(ref("1.0.0")) == registry.evidence.of(ref("1.0.0"))
    assert release_of(restored).health == release_of(registry).health
    assert restored.evidence.grid(NAME, name="small") == grid()
    assert restored.records_since_checkpoint == 0
    assert check_registry(restored, deep=True).errors == 0


def test_edit_keeps_what_was_measured(registry: Registry, release: Release) -> None:
    """Also where a document claims to be an edit and does not come from `edit`."""
    original = put_report(registry, release, verdict="Failed").note.document
    before = registry.evidence.report(original)

    edit = registry.evidence.edit(
        ref("1.0.0"),
        original=original,
        wanted=replace(before, goal=Goal(statement="ink")),
        author=BOB,
    )

    assert edit.note.document != original
    assert release_of(registry).health.report == edit.note
    forged = replace(before, verdict="Success", edited_from=original)
    with pytest.raises(PreconditionFailed, match="verdict"):
        registry.evidence.put(forged, author=ANN)


def test_edit_shows_nothing_from_elsewhere(registry: Registry, release: Release) -> None:
    """Neither a stranger's picture nor a file of weights becomes a picture of it by its digest."""
    original = put_report(registry, release).note.document
    before = registry.evidence.report(original)
    published = registry.evidence.put(
        references_of(release, b"one", b"two", b"three", b"four"),
        author=ANN,
        blobs=[b"one", b"two", b"three", b"four"],
    )
    registry.blobs.put_bytes(b"somebody else's")
    known, weights = sha256_bytes(b"one"), release.canonical
    assert weights is not None

    for digest in (weights, sha256_bytes(b"somebody else's")):
        with pytest.raises(NotFound) as refused:
            registry.evidence.edit(
                ref("1.0.0"), original=original, wanted=_showing(before, digest), author=BOB
            )
        assert refused.value.reason == "BLOB_NOT_FOUND"

    edit = registry.evidence.edit(
        ref("1.0.0"), original=original, wanted=_showing(before, known), author=BOB
    )
    assert (published.created, edit.created) == (True, True)


def test_purge_leaves_what_other_releases_need(
    registry: Registry, release: Release, tmp_path: Path
) -> None:
    """Whatever its evidence lists."""
    other = publish(registry, "1.1.0", folder=tmp_path).release
    weights = other.canonical
    assert weights is not None
    listed = replace(references_of(release, *PICTURES), pictures=(*SHOWN, weights))
    registry.evidence.put(listed, author=ANN, blobs=PICTURES)

    registry.purge(ref("1.0.0"), author=Author(actor="ann", reason="consent withdrawn"))

    assert (there(registry), registry.blobs.is_there(weights)) == (0, True)


def _showing(report: Report, digest: Digest) -> Report:
    """An edit that gives a prompt a picture to compare with."""
    return replace(report, prompt_record=(PromptNote(prompt="ink", seed=1, reference=digest),))


def test_older_report_is_not_edited(registry: Registry, release: Release) -> None:
    """Who read an older one would take back what was written since; the same edit again is none."""
    original = put_report(registry, release).note.document
    before = registry.evidence.report(original)
    wanted = [replace(before, outcome=words) for words in ("kept", "dropped")]
    edits: dict[str, Any] = {"original": original, "author": BOB}
    first = registry.evidence.edit(ref("1.0.0"), wanted=wanted[0], **edits)

    again = registry.evidence.edit(ref("1.0.0"), wanted=wanted[0], **edits)
    with pytest.raises(PreconditionFailed) as refused:
        registry.evidence.edit(ref("1.0.0"), wanted=wanted[1], **edits)

    assert (again.created, again.note) == (False, first.note)
    assert refused.value.reason == "EDIT_OUTDATED"


def test_private_evidence_is_unseen(registry: Registry, release: Release) -> None:
    """No release, no grid, and no act of either is told to somebody else."""
    put_report(registry, release)
    registry.evidence.put_grid(grid(), place="acme", author=ANN)
    registry.set_policy("acme", private=True, author=ANN)
    stranger = Grants({"other": frozenset({Role.ADMIN})})

    seen = seen_by(registry.state, stranger)

    assert (dict(seen.grids), list(seen.names())) == ({}, [])
    told = [told_to(one, state=registry.state, grants=stranger) for one in registry.since(0)]
    assert [one.record.actions for one in told] == [()] * 4


def test_gate_is_asked_for_before_the_log(registry: Registry, release: Release) -> None:
    """The refusal says what to do; a rollback goes through; the fold holds the same."""
    registry.promote(ref("1.0.0"), channel="stable", author=ANN)
    registry.set_policy("acme", channels={"stable": Gate(reviews=1)}, author=ANN)
    seq = registry.seq

    with pytest.raises(PreconditionFailed, match="0 of 1 reviews") as refused:
        registry.promote(ref("1.0.0"), channel="stable-2", author=ANN)
        registry.set_policy("acme", channels={"*": Gate(reviews=1)}, author=ANN)
        registry.promote(ref("1.0.0"), channel="beta", author=ANN)

    assert refused.value.reason == "GATE_NOT_MET"
    assert "policy explain" in refused.value.hint
    assert registry.seq == seq + 2


def release_of(registry: Registry) -> Release:
    """The release as it is now."""
    return registry.state.find(ref("1.0.0"))


def _die(*_args: object, **_fields: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("role", "is_allowed"), [(Role.PUBLISH, True), (Role.REVIEW, True), (Role.GENERATE, False)]
)
def test_author_is_checked_before(registry: Registry, role: Role, is_allowed: bool) -> None:
    """Who may neither publish nor review is refused before anything is made."""
    author = replace(ANN, proof=Proof.TOKEN, grants=Grants({"acme": frozenset({role})}))

    if is_allowed:
        registry.evidence.check_author(NAME, author=author)
        return
    with pytest.raises(Forbidden):
        registry.evidence.check_author(NAME, author=author)


def test_unproven_author_is_checked_before(registry: Registry) -> None:
    """Where a namespace asks who somebody is, who does not say is refused before as well."""
    registry.set_policy("acme", require_identity=True, author=ANN)

    with pytest.raises(PreconditionFailed) as refused:
        registry.evidence.check_author(NAME, author=ANN)

    assert refused.value.reason == "IDENTITY_REQUIRED"
