# SPDX-License-Identifier: Apache-2.0
"""Two servers on one bucket: what one promotes or withdraws is what the other serves or refuses."""

import asyncio
from pathlib import Path

from tabard_registry.place import open_store
from tests.server.harness import Request, refs, refusal_of, serving, until


def test_servers_share_a_bucket(tmp_path: Path, s3_url: str) -> None:
    """Publish and promote here, wear there; withdraw there, refused here."""

    async def walk() -> list[str]:
        async with (
            serving(tmp_path, store=open_store(s3_url)) as here,
            serving(tmp_path, store=open_store(s3_url)) as there,
        ):
            await here.publish("acme/ink")
            seq = (await here.promote("acme/ink@1.0.0")).seq
            await until(lambda: there.app.registry.seq >= seq)
            told = await there.generate(adapters=["acme/ink"])
            await there.quarantine("acme/ink@1.0.0")
            await until(lambda: here.app.registry.seq > seq)
            call = here.generation.Generate(Request(prompt="x", adapters=refs("acme/ink")))
            return [told.kinds[-1], (await refusal_of(call)).reason]

    assert asyncio.run(walk()) == ["done", "RELEASE_QUARANTINED"]
