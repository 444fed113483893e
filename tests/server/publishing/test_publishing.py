# SPDX-License-Identifier: Apache-2.0
"""Acts as one server allows them: what is checked first, and what an act needs."""

import asyncio
from pathlib import Path

import grpc
import pytest

from tabard.v1 import registry_service_pb2 as pb
from tabard_registry import ABSENT, ByDigest, ByVersion, Digest, InvalidName, Version
from tabard_server.publishing.publishing import read_expectation
from tests.server.harness import (
    iter_parts,
    lora_file,
    publish_parts,
    refusal_of,
    serving,
)

LONG_SECONDS = 3_600.0


def test_bad_file_is_refused_with_report(tmp_path: Path) -> None:
    """What is no safetensors, or fits no module, is refused with reason and remedy."""

    async def walk() -> list[str]:
        reasons = []
        async with serving(tmp_path) as server:
            for content in (b"not safetensors at all", lora_file()[:-8], lora_file(module="nope")):
                parts = publish_parts("acme/ink", "1.0.0", content=content)
                refusal = await refusal_of(server.registry.Publish(iter_parts(parts)))
                assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
                assert refusal.hint
                assert refusal.fields
                reasons.append(refusal.reason)
            assert server.app.registry.seq == 0
        return reasons

    reasons = asyncio.run(walk())
    assert reasons[-1] == "UNKNOWN_KEYS"
    assert len(set(reasons)) >= 2


def test_rollback_needs_no_blobs(tmp_path: Path) -> None:
    """With every blob gone, a rollback still works."""

    async def walk() -> str:
        async with serving(tmp_path) as server:
            for version in ("1.0.0", "1.1.0"):
                await server.publish("acme/ink", version)
                await server.promote(f"acme/ink@{version}")
            (tmp_path / "registry" / "blob").rename(tmp_path / "gone")
            return str((await server.roll_back("acme/ink")).version)

    assert asyncio.run(walk()) == "1.0.0"


def test_channel_moves_only_to_loadable_release(tmp_path: Path) -> None:
    """A release that cannot be loaded is not promoted; the channel stays."""

    async def walk() -> None:
        async with serving(tmp_path) as server:
            await server.publish("acme/ink")
            server.loader.errors = [MemoryError("full")]
            request = pb.PromoteRequest(ref="acme/ink@1.0.0", actor="t")
            refusal = await refusal_of(server.registry.Promote(request))
            adapter = server.app.registry.state.adapters_after()[0]

        assert refusal.code is grpc.StatusCode.INTERNAL
        assert not adapter.channels

    asyncio.run(walk())


def test_acts_know_what_other_servers_did(tmp_path: Path) -> None:
    """Published and lifted on one server, promoted and combined on the other, which never polls."""

    async def walk() -> None:
        async with (
            serving(tmp_path) as one,
            serving(tmp_path, poll_seconds=LONG_SECONDS) as other,
        ):
            await one.publish("acme/ink")
            assert (await other.promote("acme/ink@1.0.0")).moved
            await one.publish("acme/ink", "1.1.0")
            await one.promote("acme/ink@1.1.0")
            await one.quarantine("acme/ink@1.0.0")
            assert (await other.promote("acme/ink@stable", channel="beta")).version == "1.1.0"
            await one.lift("acme/ink@1.0.0")
            mix = await other.publish_recipe("acme/mix", "acme/ink@1.0.0:0.5")

        assert [member.version for member in mix.members] == ["1.0.0"]

    asyncio.run(walk())


@pytest.mark.parametrize("takes_it", [False, True])
def test_adapter_of_other_prediction(tmp_path: Path, takes_it: bool) -> None:
    """Trained by its own words to predict v: refused on epsilon, or taken and warned of."""

    async def walk() -> tuple[str, list[str]]:
        async with serving(tmp_path, adapters_that_contradict=takes_it) as server:
            content = lora_file(metadata={"modelspec.prediction_type": "v"})
            if takes_it:
                done = await server.publish("acme/ink", content=content)
                return "", [problem.reason for problem in done.report.problems]
            parts = publish_parts("acme/ink", "1.0.0", content=content)
            refusal = await refusal_of(server.registry.Publish(iter_parts(parts)))
            return refusal.reason, []

    found = asyncio.run(walk())
    assert found == (("", ["OTHER_PREDICTION"]) if takes_it else ("OTHER_PREDICTION", []))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("none", ABSENT),
        ("1.2.0", ByVersion(Version.parse("1.2.0"))),
        ("sha256:" + "ab" * 6, ByDigest("ab" * 6)),
        ("sha256:" + "ab" * 32, Digest.parse("sha256:" + "ab" * 32)),
    ],
)
def test_expectation_names_one_release(text: str, found: object) -> None:
    """In full, by its first digits, by its version; or that there is none."""
    assert read_expectation(text) == found


@pytest.mark.parametrize("text", ["stable", "^1.2", "sha256:ab", "sha256:" + "AB" * 32, "1.2"])
def test_expectation_that_names_none_says_what_would(text: str) -> None:
    """A channel may move, a range mean another one, and a digit too few fit many."""
    with pytest.raises(InvalidName) as caught:
        read_expectation(text)

    assert text in str(caught.value)
    assert "version like 1.2.0" in caught.value.hint
