# SPDX-License-Identifier: Apache-2.0
"""What a request says to a proxy: the same for the same stack, bounded, and only a hint."""

import pytest

from tabard.routing import (
    BASE_METADATA,
    SERVER_METADATA,
    KnownBases,
    KnownServers,
    base_hint,
    split_weight,
    stack_hash,
)

ONE = "sha256:" + "01" * 32
OTHER = "sha256:" + "02" * 32


@pytest.mark.parametrize(
    ("refs", "prompt"),
    [
        (["b/b", "a/a:0.5"], ""),
        (["a/a@stable:0.5@0,1@0.6:te=1", "b/b"], "a cat"),
        (["a/a", "a/a:1", " b/b:region=sky"], ""),
        (["a/a"], "a cat <lora:b/b:0.8>"),
        ([], "<lora:b/b> <lora:a/a@stable:1>"),
        (["a/a"], "embedding:b/b on the wall"),
    ],
)
def test_same_stack_has_the_same_hash(refs: list[str], prompt: str) -> None:
    """Order, weights, controls and where it is said do not matter: the same server holds it."""
    assert stack_hash(refs, prompt=prompt) == stack_hash(["a/a", "b/b"])


def test_other_releases_have_another_hash() -> None:
    """Pinned ones are stacks of their own; a digest keeps its colon."""
    hashes = {
        stack_hash(["a/a"]),
        stack_hash(["a/a@1.2.0"]),
        stack_hash(["a/a@sha256:abcdef012345"]),
        stack_hash(["a/a", "b/b"]),
        stack_hash(["a/ab", "b"]),
    }

    assert len(hashes) == 5
    assert stack_hash(["a/a@sha256:abcdef012345:0.5"]) in hashes


def test_hash_is_short_whatever_is_asked() -> None:
    """What nobody could wear is refused by the server, not by the transport of its metadata."""
    odd = stack_hash(["a/" + "\u00e9\ud800" * 100_000])

    assert stack_hash([]) == ""
    assert len(odd) == len(stack_hash(["a/a"])) == 16
    assert odd.isascii()


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (ONE, "010101010101"),
        ("0101010101010", "010101010101"),
        ("01010101010", ""),
        ("sdxl", ""),
        ("", ""),
        ("sha256:" + "0" * 65, ""),
    ],
)
def test_base_is_named_by_twelve_digits(said: str, hint: str) -> None:
    """A proxy compares exactly; what names no base says nothing."""
    assert base_hint(said) == hint


def test_stack_of_two_bases_has_no_hint() -> None:
    """Nothing can draw it; whichever server is asked says so."""
    bases = KnownBases()
    bases.note(["a/a:0.5"], ONE)
    bases.note(["b/b"], OTHER, prompt="<lora:c/c:1>")

    assert bases.of(["a/a@stable", "d/d"]) == base_hint(ONE)
    assert bases.of([], prompt="<lora:c/c:0.1>") == base_hint(OTHER)
    assert bases.of(["a/a", "b/b"]) == ""
    assert bases.of(["d/d"]) == ""


def test_known_bases_are_bounded() -> None:
    """A client that has seen thousands of releases forgets the oldest."""
    bases = KnownBases()
    bases.note([f"a/a{number}" for number in range(5_000)], ONE)
    bases.note(["a/new"], "no fingerprint")

    assert len(bases._bases) == 4_096
    assert bases.of(["a/new"]) == ""


def test_weight_is_split_off() -> None:
    """The colon of a digest is part of the ref."""
    assert split_weight(" a/a@sha256:abc:0.5:te=1 ") == ("a/a@sha256:abc", "0.5:te=1")
    assert split_weight("a/a") == ("a/a", "")


def test_server_of_a_job_is_known_for_its_others() -> None:
    """Ids of jobs of one server begin alike; of an id that says nothing nothing is known."""
    servers = KnownServers()
    servers.note("ab" * 4 + "0" * 32, "c2VydmVy", ONE)
    servers.note("0" * 32, "b3RoZXI=", "")

    named = ((SERVER_METADATA, "c2VydmVy"), (BASE_METADATA, base_hint(ONE)))
    assert servers.metadata("ab" * 4 + "1" * 32) == named
    assert servers.metadata("cd" * 4 + "1" * 32) == ()
    assert servers.metadata("0" * 32) == ()
