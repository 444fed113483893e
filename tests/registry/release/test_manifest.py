# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import Manifest
from tabard_registry.errors import CorruptRegistry
from tabard_registry.release.manifest import ChangeTarget
from tabard_registry.release.sampling import Sampling
from tests.registry.fakes import small_manifest

GOLDEN = "sha256:a085bfc57a8a9f603e4e3b2438b76c18c5d3a20417c5176fd55d41b2d0056530"


def test_manifest_survives_its_bytes() -> None:
    """A manifest is what its bytes say."""
    manifest = small_manifest("1.2.0-rc.1")

    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


def test_manifest_bytes_are_golden() -> None:
    """The digest of a manifest never changes: released digests depend on it."""
    assert str(small_manifest("1.0.0").digest) == GOLDEN


def test_sampling_is_part_of_the_digest() -> None:
    """It shapes images. A release that declares nothing keeps the digest that it always had."""
    plain = small_manifest("1.0.0")
    declared = replace(plain, sampling=Sampling(samplers=("lcm",), clip_skip=0))

    assert b"sampling" not in plain.to_bytes()
    assert declared.digest != plain.digest
    assert Manifest.from_bytes(declared.to_bytes()) == declared
    broken = declared.to_bytes().replace(b'"lcm"', b"7")
    with pytest.raises(CorruptRegistry):
        Manifest.from_bytes(broken)


@given(st.binary())
def test_any_bytes_are_no_manifest(content: bytes) -> None:
    """Arbitrary bytes raise CorruptRegistry and nothing else."""
    with pytest.raises(CorruptRegistry):
        Manifest.from_bytes(content)


def test_impossible_change_target_is_refused() -> None:
    """A manifest cannot name a method that is not known, or a number that is none."""
    good = {"component": "unet", "parameter": "x.weight", "scale": 1.0, "parts": ("diff",)}
    ChangeTarget(**good, method="dense")  # type: ignore[arg-type]

    for bad in ({"method": "magic"}, {"method": "oft", "options": {"constraint": float("nan")}}):
        with pytest.raises(Exception, match=r"x\.weight"):
            ChangeTarget(**(good | bad))  # type: ignore[arg-type]
