# SPDX-License-Identifier: Apache-2.0
"""What judges releases on one server, put together: evaluations, previews and canaries.

In: its engine, its settings, its walk of a request. Out: rooms that doors ask, and one way in for
requests: past the canaries.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from tabard_registry import Digest, Registry
from tabard_registry.trust.signatures import Verifier
from tabard_server.canary.assembly import canaries_for
from tabard_server.canary.served import ServedImages
from tabard_server.canary.shadowing import Generate
from tabard_server.engine_port.port import EnginePort
from tabard_server.evaluation.assembly import evaluation_for
from tabard_server.evaluation.looks import Encoders
from tabard_server.settings import Settings
from tabard_server.threads import Threads


class Health:
    """The rooms of release health. Asyncio thread."""

    def __init__(
        self,
        engine: EnginePort[Any],
        settings: Settings,
        *,
        registry: Registry,
        generate: Generate,
        encoders: Encoders,
        verifier: Verifier,
        on_act: Callable[[], Awaitable[None]],
    ) -> None:
        """Put them together; nothing is drawn yet.

        Args:
            engine: What draws.
            settings: What the server is told.
            registry: Where releases are.
            generate: The walk of a request.
            encoders: What looks at pictures.
            verifier: Of signatures.
            on_act: Called after each act of the server's own.
        """
        limits = settings.limits
        self.encoders = encoders
        self.judging = Threads("judge", threads_max=1)
        self.evaluation, self.previews = evaluation_for(
            engine,
            settings,
            registry=registry,
            generate=generate,
            encoders=self.encoders,
            verifier=verifier,
            threads=self.judging,
        )
        self.shadowing, self.conductor = canaries_for(
            registry,
            generate=generate,
            evaluation=self.evaluation,
            encoders=self.encoders,
            limits=limits,
            threads=self.judging,
            on_act=on_act,
        )
        self.served = ServedImages(
            state=lambda: registry.state, images_max=limits.served_images_max
        )

    def review(self) -> None:
        """Look at what records changed. Must not wait."""
        self.conductor.review()

    def forget(self, release: Digest) -> None:
        """Keep no picture of a purged release on this machine. Idempotent."""
        self.evaluation.drawer.forget(release)

    def drain(self) -> None:
        """Draw nothing more for canaries, which go on elsewhere. Idempotent."""
        self.conductor.close()

    def close(self) -> None:
        """Draw nothing more at all. Idempotent."""
        self.previews.close()
