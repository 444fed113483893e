# SPDX-License-Identifier: Apache-2.0
"""A whole Tabard server in this process, heard on loopback only.

In: settings. Out: its address, how it is, and its end. The same composition root as `tabard serve`.
"""

from __future__ import annotations

import asyncio
import os
import re
import urllib.request
from collections.abc import Mapping
from typing import Any

from tabard_server.serving import serve
from tabard_server.settings import Settings
from tabard_server.startup.prelude import prepare

_PLACES = {
    "listen": "127.0.0.1:0",
    "metrics_listen": "127.0.0.1:0",
    "operators_listen": "",
}
"""Replicas are many on one machine, and callers come through Ray alone."""
_QUEUE = re.compile(r"^tabard_queue_work_seconds (\S+)$", re.MULTILINE)
_PAGE_SECONDS_MAX = 5.0


def settings_for(said: Mapping[str, Any]) -> Settings:
    """Read the settings of a replica; what Ray decides is not to be said.

    Raises:
        BadSettings: With all that is wrong.
    """
    return prepare(environment=os.environ, overrides={**said, **_PLACES})


class LocalServer:
    """A server under way. Asyncio thread.

    Attributes:
        address: Of its gRPC port.
    """

    def __init__(self) -> None:
        self.address = self._metrics_address = ""
        self._stop = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None

    async def start(self, settings: Settings) -> None:
        """Load the base and serve.

        Raises:
            Exception: Whatever kept it from that.
        """
        ready: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()

        def note_ready(address: str, metrics_address: str) -> None:
            ready.set_result((address, metrics_address))

        self._task = asyncio.create_task(
            serve(settings, on_ready=note_ready, stop=self._stop), name="tabard"
        )
        await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await self._task
            raise RuntimeError("the server ended before it was ready")
        self.address, self._metrics_address = ready.result()

    async def stop(self) -> None:
        """Let it finish what it has. Idempotent."""
        self._stop.set()
        if self._task is not None:
            await self._task

    async def require_live(self) -> None:
        """Raise when only a new process would help; Ray replaces the replica then."""
        if self._task is None or self._task.done():
            raise RuntimeError("the server has ended")
        await asyncio.to_thread(self._page, "livez")

    async def queue_work_seconds(self) -> float:
        """Return the seconds of work that wait."""
        page = await asyncio.to_thread(self._page, "metrics")
        found = _QUEUE.search(page)
        assert found is not None, "the metrics page has no tabard_queue_work_seconds"
        return float(found[1])

    def _page(self, name: str) -> str:
        """Read a page; one that is not 200 raises."""
        url = f"http://{self._metrics_address}/{name}"
        with urllib.request.urlopen(url, timeout=_PAGE_SECONDS_MAX) as page:
            text: str = page.read().decode()
            return text
