# SPDX-License-Identifier: Apache-2.0
"""Tells receivers of the end of jobs: signed, again and again with growing waits, a bounded time.

In: records of jobs that are over. Out: requests, and what became of them. Headers and signature are
those of Standard Webhooks; the body has ids and links, and no picture. Asyncio thread.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tabard_server.detached.record import Hook, HookState, JobRecord
from tabard_server.errors import InvalidRequest, invalid
from tabard_server.version import tabard_version
from tabard_server.webhooks.posting import NotAnswered, post
from tabard_server.webhooks.receivers import ReceiverRefused, Receivers
from tabard_server.webhooks.settings import JobsSettings

_GONE = 410
"""The receiver wants no more."""
_ONE_TENANTS_PART = 4


class Webhooks:
    """Sends the webhooks of one server."""

    def __init__(
        self,
        settings: JobsSettings,
        *,
        receivers: Receivers,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Take the settings and whom it may ask.

        Args:
            settings: Bounds and secrets.
            receivers: Judges where a webhook may go.
            clock: Seconds since 1970.
            jitter: Returns a number from 0 to 1.
            context: What certificates are checked by; None: the system's, read when the first
                webhook is sent.
        """
        self._settings = settings
        self._receivers = receivers
        self._clock = clock
        self._jitter = jitter
        self._context = context
        self._places = asyncio.Semaphore(settings.webhooks_at_once_max)
        most = max(1, settings.webhooks_at_once_max // _ONE_TENANTS_PART)
        self._tenants: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(most)
        )

    def check(self, url: str, *, tenant: str) -> None:
        """Refuse a webhook that could never be sent.

        Raises:
            InvalidRequest: It is so.
        """
        if self._settings.key_for(tenant) is None:
            raise invalid(
                "detach.webhook_url",
                "this server has nothing to sign webhooks with",
                reason="WEBHOOKS_OFF",
                hint="watch the job, or have a secret set (jobs.webhook_secret)",
            )
        self._receivers.read(url)

    async def send(self, record: JobRecord) -> AsyncIterator[Hook]:
        """Tell of a job until it is heard, or given up; yield what came of each try."""
        hook = record.hook
        while hook is not None and hook.state is HookState.WAITING:
            if hook.attempts:
                await asyncio.sleep(self._wait_after(hook.attempts))
            hook = await self._try(record, hook)
            yield hook

    async def _try(self, record: JobRecord, hook: Hook) -> Hook:
        async with self._tenants[record.owner.tenant], self._places:
            status, problem = await self._ask(record, hook)
        attempts = hook.attempts + 1
        if 200 <= status < 300:
            return replace(hook, state=HookState.DELIVERED, attempts=attempts, problem="")
        is_over = status == _GONE or attempts >= self._settings.webhook_attempts_max
        return replace(
            hook,
            state=HookState.FAILED if is_over else HookState.WAITING,
            attempts=attempts,
            problem=problem or f"status {status}",
        )

    async def _ask(self, record: JobRecord, hook: Hook) -> tuple[int, str]:
        """Try once; return the status, 0 and the reason where there was none."""
        key = self._settings.key_for(record.owner.tenant)
        if key is None:
            return 0, "this server has nothing to sign webhooks with"
        body = json.dumps(_body(record, links=self._settings.webhook_links)).encode()
        try:
            receiver = self._receivers.read(hook.url)
            status = await post(
                receiver,
                address=await self._receivers.address_of(receiver),
                headers=signed_headers(
                    body, key=key, message_id=message_id_of(record), now=int(self._clock())
                ),
                body=body,
                context=await self._certificates(),
                seconds_max=self._settings.webhook_seconds_max,
            )
        except (NotAnswered, ReceiverRefused, InvalidRequest) as error:
            return 0, str(error)
        return status, ""

    async def _certificates(self) -> ssl.SSLContext:
        """Return what certificates are checked by; to read the system's takes a while."""
        if self._context is None:
            self._context = await asyncio.to_thread(ssl.create_default_context)
        return self._context

    def _wait_after(self, attempts: int) -> float:
        """Return how long to wait: twice as long each time, at most, and never all at once."""
        most = self._settings.webhook_retry_seconds * 2.0 ** (attempts - 1)
        most = min(most, self._settings.webhook_retry_seconds_max)
        return most * (0.5 + 0.5 * self._jitter())


def signed_headers(body: bytes, *, key: bytes, message_id: str, now: int) -> Mapping[str, str]:
    """Return the headers of a webhook, its signature among them."""
    signed = f"{message_id}.{now}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": f"tabard/{tabard_version()}",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }


def message_id_of(record: JobRecord) -> str:
    """Return the id of what is told, the same for each try."""
    return f"msg_{record.id}_{record.run}"


def _body(record: JobRecord, *, links: str) -> dict[str, Any]:
    path = f"{links.rstrip('/')}/v1/jobs/{record.id}"
    told: dict[str, Any] = {
        "id": record.id,
        "request_id": record.request_id,
        "state": record.state.value,
        "url": path,
        "images": [
            {"index": one.index, "seed": one.seed, "url": f"{path}/images/{one.index}"}
            for one in record.images
        ],
    }
    if record.failure is not None:
        told["error"] = {"reason": record.failure.reason}
    at = datetime.fromtimestamp(record.ended_at, UTC).isoformat().replace("+00:00", "Z")
    return {"type": f"job.{record.state.value}", "timestamp": at, "data": told}
