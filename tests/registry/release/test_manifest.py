# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_registry import BaseProfile, Digest, Manifest, sha256_bytes
from tabard_registry.errors import CorruptRegistry, InvalidField, InvalidName
from tests.registry.fakes import sd_profile, small_manifest

GOLDEN = "sha256:a085bfc57a8a9f603e4e3b2438b76c18c5d3a20417c5176fd55d41b2d0056530"


def test_digest_survives_its_text() -> None:
    """A digest is what its text says."""
    digest = sha256_bytes(b"tabard")

    assert Digest.parse(str(digest)) == digest
    assert str(digest).startswith("sha256:")


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 64])
def test_other_digest_is_refused(text: str) -> None:
    """Only sha256 in lower-case hexadecimal is a digest."""
    with pytest.raises(InvalidName):
        Digest.parse(text)


def test_manifest_survives_its_bytes() -> None:
    """A manifest is what its bytes say."""
    manifest = small_manifest("1.2.0-rc.1")

    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


def test_manifest_bytes_are_golden() -> None:
    """The digest of a manifest never changes: released digests depend on it."""
    assert str(small_manifest("1.0.0").digest) == GOLDEN


@given(st.binary())
def test_any_bytes_are_no_manifest(content: bytes) -> None:
    """Arbitrary bytes raise CorruptRegistry and nothing else."""
    with pytest.raises(CorruptRegistry):
        Manifest.from_bytes(content)


def test_profile_survives_its_json() -> None:
    """A profile is what its JSON says."""
    profile = sd_profile()

    assert BaseProfile.from_json(profile.to_json()) == profile


def test_fingerprint_follows_components() -> None:
    """The fingerprint changes with any component's, and with nothing else."""
    profile = sd_profile()
    other = BaseProfile(
        family="sd1",
        fingerprints={**profile.fingerprints, "unet": str(sha256_bytes(b"other"))},
        modules=profile.modules,
        token_widths=profile.token_widths,
    )

    assert profile.fingerprint == sd_profile(text_width=99).fingerprint
    assert profile.fingerprint != other.fingerprint


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"family": 1}', "[" * 5000])
def test_other_json_is_no_profile(text: str) -> None:
    """What is not a profile is refused."""
    with pytest.raises(InvalidField):
        BaseProfile.from_json(text)
