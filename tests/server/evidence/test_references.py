# SPDX-License-Identifier: Apache-2.0
"""Pictures beside a release: what is taken, what is kept of it, and what is refused by name."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tabard_registry import Author, Digest, Grants, Registry, Release, Role, sha256_bytes
from tabard_registry.errors import Forbidden, NotFound, PreconditionFailed
from tabard_registry.evidence.documents import References
from tabard_registry.identity.identity import Proof
from tabard_server.errors import InvalidRequest
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.published import Published
from tabard_server.evaluation.references import SIDE_MAX
from tabard_server.evidence.references import ReferenceBook, ReferenceFiles, ReferencesWish
from tabard_server.limits import Limits
from tests.registry.evidence.reports import ANN
from tests.registry.fakes import NAME, publish, ref
from tests.server.evidence.pictures import noise as picture

ENCODERS = Encoders()


def gathered(*pictures: bytes, **limits: Any) -> ReferenceFiles:
    """Pictures that came."""
    files = ReferenceFiles(limits=Limits(**limits))
    for number, one in enumerate(pictures):
        files.add(one, name=f"{number}.png")
    return files


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in a folder."""
    return Registry.open((tmp_path / "registry").as_uri())


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """One release."""
    return publish(registry, "1.0.0", folder=tmp_path).release


def wish(**fields: Any) -> ReferencesWish:
    """A wish of ann's."""
    said: dict[str, Any] = {"ref": ref("1.0.0"), "kind": "references", "author": ANN}
    return ReferencesWish(**{"embeddings_only": False, **said, **fields})


def put(registry: Registry, wanted: ReferencesWish, files: ReferenceFiles) -> References:
    """Publish; return the document."""
    book = ReferenceBook(registry, encoders=ENCODERS)
    embedded = book.embedded(wanted, files)
    done = book.put(wanted, files, embedded=embedded)
    again = book.put(wanted, files, embedded=embedded)
    found = registry.evidence.document(done.note.document)
    assert (done.created, again.created) == (True, False)
    assert isinstance(found, References)
    return found


def test_pictures_are_kept_without_their_words(registry: Registry, release: Release) -> None:
    """Where and by whom they were taken is nobody's business; nor is more than is looked at."""
    words = PngImagePlugin.PngInfo()
    words.add_text("Author", "a name")
    file = io.BytesIO()
    Image.new("RGB", (2 * SIDE_MAX, SIDE_MAX), "red").save(file, "PNG", pnginfo=words)
    exif = Image.Exif()
    exif[0x010E] = "a place"
    jpeg = io.BytesIO()
    Image.new("RGB", (32, 32), "blue").save(jpeg, "JPEG", exif=exif, icc_profile=b"a screen")

    found = put(
        registry, wish(), gathered(file.getvalue(), jpeg.getvalue(), picture(1), picture(2))
    )

    kept = [registry.blobs.read(one, bytes_max=1 << 20) for one in found.pictures]
    assert all(one.startswith(b"\x89PNG") for one in kept)
    assert not any(b"a name" in one or b"a place" in one for one in kept)
    for one in kept:
        with Image.open(io.BytesIO(one)) as image:
            assert image.info == {}
    with Image.open(io.BytesIO(kept[0])) as image:
        assert image.size == (SIDE_MAX, SIDE_MAX // 2)


def test_embeddings_stand_for_pictures(registry: Registry, release: Release) -> None:
    """No picture is kept, and whoever judges reads the very numbers of its own encoder."""
    files = gathered(*(picture(seed) for seed in range(5)))
    found = put(registry, wish(embeddings_only=True), files)

    line = registry.state.adapter(NAME)
    published = Published(registry, encoders=ENCODERS, limits=Limits())
    read = published.of(line.releases[0], line=line, kind="references")
    assert found.pictures == ()
    assert not any(map(registry.blobs.is_there, put_digests(files)))
    assert read.vectors["style"].shape[0] == 5
    pixels = [np.asarray(Image.open(io.BytesIO(png))) for png in files.pngs]
    np.testing.assert_array_equal(read.vectors["style"], ENCODERS.style.embed(pixels))


def put_digests(files: ReferenceFiles) -> list[Digest]:
    """Digests of the pictures."""
    return list(map(sha256_bytes, files.pngs))


def test_training_pictures_are_of_their_own_kind(registry: Registry, release: Release) -> None:
    """Of them, embeddings of all that they may come back as."""
    files = gathered(*(picture(seed) for seed in range(4)))
    found = put(registry, wish(kind="training", embeddings_only=True), files)

    line = registry.state.adapter(NAME)
    published = Published(registry, encoders=ENCODERS, limits=Limits())
    read = published.of(line.releases[0], line=line, kind="training")
    assert found.kind == "training"
    assert read.vectors["copy"].shape[:1] == (4,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "PICTURE_UNREADABLE"),
        (b"no picture", "PICTURE_UNREADABLE"),
        (picture(1)[:200], "PICTURE_UNREADABLE"),
        (picture(1, side=64), "IMAGE_TOO_LARGE"),
    ],
)
def test_picture_is_refused_by_name(content: bytes, reason: str) -> None:
    """Whatever is wrong with it."""
    files = ReferenceFiles(limits=Limits(picture_pixels_max=2_000))

    with pytest.raises(InvalidRequest, match=r"'the cat\.png'") as refused:
        files.add(content, name="the cat.png")

    assert refused.value.reason == reason
    assert refused.value.violations[0].field == "picture[0]"
    assert refused.value.hint


def test_count_is_bounded() -> None:
    """Four different ones at least; the same twice is one."""
    with pytest.raises(InvalidRequest) as few:
        gathered(picture(1), picture(2), picture(3), picture(3)).refuse_too_few()
    with pytest.raises(InvalidRequest) as many:
        gathered(*map(picture, range(5)), evaluation_pictures_max=4)

    gathered(*map(picture, range(4))).refuse_too_few()
    assert (few.value.reason, many.value.reason) == ("REFERENCES_TOO_FEW", "REFERENCES_TOO_MANY")


def test_who_may_not_is_refused_first(registry: Registry, release: Release) -> None:
    """Before any picture is sent."""
    book = ReferenceBook(registry, encoders=ENCODERS)
    viewer = Author(
        actor="eve", proof=Proof.TOKEN, grants=Grants({"acme": frozenset({Role.GENERATE})})
    )
    stranger = Author(actor="eve", proof=Proof.TOKEN, grants=Grants({"beta": frozenset(Role)}))
    registry.set_policy("acme", private=True, author=ANN)

    with pytest.raises(Forbidden):
        book.check(wish(author=viewer))
    with pytest.raises(NotFound):
        book.check(wish(author=stranger))
    registry.purge(ref("1.0.0"), author=ANN)
    with pytest.raises(PreconditionFailed) as purged:
        book.check(wish())
    assert purged.value.reason == "RELEASE_PURGED"
