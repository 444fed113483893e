# SPDX-License-Identifier: Apache-2.0
"""What was published beside a line: whose it is, and what can be compared with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tabard_registry import AdapterRef, Digest, Registry, Release
from tabard_registry.errors import CorruptRegistry
from tabard_server.errors import InvalidRequest, NotEvaluable
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.plan import Pictures
from tabard_server.evaluation.published import Published, embeddings_of
from tabard_server.limits import Limits
from tests.server.adapters.published_lora import publish_lora
from tests.server.evaluation.wishes.planning import ANN, put_embeddings, put_pictures
from tests.server.judgement.drawn import picture

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0")
ENCODERS = Encoders()
STYLE = Digest.parse(f"sha256:{ENCODERS.style.digest}")
OTHER = Digest.parse("sha256:" + "e" * 64)
PIXELS = [picture(seed) for seed in range(5)]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Open a registry with four releases of a line."""
    found = Registry.open(str(tmp_path / "registry"))
    for version in VERSIONS:
        publish_lora(found, folder=tmp_path, version=version)
    yield found
    found.close()


def release(registry: Registry, version: str) -> Release:
    """Return one of them."""
    return registry.state.find(AdapterRef.parse(f"acme/ink@{version}"))


def published(registry: Registry, version: str, *, kind: str = "references") -> Pictures:
    """Return what stands for a release."""
    room = Published(registry, encoders=ENCODERS, limits=Limits(evaluation_pictures_max=8))
    found = release(registry, version)
    return room.of(found, line=registry.state.adapter(found.adapter), kind=kind)


def test_references_stand_for_successors(registry: Registry) -> None:
    """The release's own, else those of the newest one before it; never those of a later one."""
    first = put_pictures(registry, release(registry, "1.0.0"), seeds=range(4))
    later = put_pictures(registry, release(registry, "1.2.0"), seeds=range(5))

    found = {version: published(registry, version).document for version in VERSIONS}

    assert found == {"1.0.0": first, "1.1.0": first, "1.2.0": later, "2.0.0": later}
    assert published(registry, "2.0.0").count == 5
    assert published(registry, "2.0.0", kind="training") == Pictures()


def test_newest_document_of_a_release_counts(registry: Registry) -> None:
    """Who publishes others takes the first ones back."""
    put_pictures(registry, release(registry, "1.0.0"), seeds=range(4))
    newer = put_pictures(registry, release(registry, "1.0.0"), seeds=range(10, 15))

    found = published(registry, "1.1.0")

    assert (found.document, found.count) == (newer, 5)


def test_quarantined_references_stand_for_nobody(registry: Registry) -> None:
    """Nobody knows what is wrong there; the release before it has sound ones."""
    sound = put_pictures(registry, release(registry, "1.0.0"), seeds=range(4))
    put_pictures(registry, release(registry, "1.1.0"), seeds=range(5))
    ref = AdapterRef.parse("acme/ink@1.1.0")
    registry.quarantine(ref, author=replace(ANN, reason="stolen"))

    assert published(registry, "1.2.0").document == sound


def test_embeddings_stand_for_pictures(registry: Registry) -> None:
    """Of the same encoder, they are what the pictures themselves would give."""
    kept = embeddings_of("references", PIXELS, encoders=ENCODERS)
    put_embeddings(registry, release(registry, "1.0.0"), *kept, (OTHER, b"of no encoder here"))

    found = published(registry, "1.1.0")

    assert found.pixels == ()
    assert found.count == 5
    np.testing.assert_array_equal(found.vectors["style"], ENCODERS.style.embed(PIXELS))


def test_training_embeddings_have_all_variants(registry: Registry) -> None:
    """So that a mirrored copy is found without the pictures."""
    kept = embeddings_of("training", PIXELS, encoders=ENCODERS)
    put_embeddings(registry, release(registry, "1.0.0"), *kept, kind="training")

    found = published(registry, "1.1.0", kind="training").vectors["copy"]

    mirrored = ENCODERS.copy.embed([PIXELS[2][:, ::-1]])[0]
    assert found.shape[:2] == (5, 18)
    assert (found[2] @ mirrored).max() > 0.999


def test_pictures_come_before_embeddings(registry: Registry) -> None:
    """Whatever encoder there is can look at them."""
    digest = put_pictures(registry, release(registry, "1.0.0"), seeds=range(4))

    found = published(registry, "1.0.0")

    assert (found.document, found.vectors, len(found.pixels)) == (digest, {}, 4)


def test_other_encoders_embeddings_are_refused(registry: Registry) -> None:
    """References by number of another encoder say nothing here; of training that is told later."""
    put_embeddings(registry, release(registry, "1.0.0"), (OTHER, b"x" * 4))
    put_embeddings(registry, release(registry, "1.0.0"), (OTHER, b"x" * 4), kind="training")

    with pytest.raises(NotEvaluable) as refused:
        published(registry, "1.1.0")

    assert refused.value.reason == "ENCODER_CHANGED"
    training = published(registry, "1.1.0", kind="training")
    assert (training.vectors, len(training.digests)) == ({}, 1)


@pytest.mark.parametrize(
    ("count", "reason"), [(3, "REFERENCES_TOO_FEW"), (9, "REFERENCES_TOO_MANY")]
)
def test_number_of_embeddings_is_bounded(registry: Registry, count: int, reason: str) -> None:
    """Three are too few to know how they vary, and nine more than this server reads."""
    pixels = [picture(seed) for seed in range(count)]
    kept = embeddings_of("references", pixels, encoders=ENCODERS)
    put_embeddings(registry, release(registry, "1.0.0"), *kept)

    with pytest.raises(InvalidRequest) as refused:
        published(registry, "1.0.0")

    assert refused.value.reason == reason


@pytest.mark.parametrize("rows", [b"x" * 7, np.full((4, 390), np.nan, dtype="<f4").tobytes()])
def test_damaged_embeddings_are_refused(registry: Registry, rows: bytes) -> None:
    """What is no rows of numbers is not compared with."""
    put_embeddings(registry, release(registry, "1.0.0"), (STYLE, rows))

    with pytest.raises(CorruptRegistry) as refused:
        published(registry, "1.0.0")

    assert refused.value.reason == "CORRUPT_BLOB"


def test_too_many_pictures_are_refused(registry: Registry) -> None:
    """As many as an evaluation takes, and no silent choice among more."""
    put_pictures(registry, release(registry, "1.0.0"), seeds=range(9))

    with pytest.raises(InvalidRequest) as refused:
        published(registry, "1.0.0")

    assert refused.value.reason == "REFERENCES_TOO_MANY"
