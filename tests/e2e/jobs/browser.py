# SPDX-License-Identifier: Apache-2.0
"""A caller of `/v1/jobs` that reads events as a browser does: it comes back behind the last one."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx

from tests.web.running import until


class Event(NamedTuple):
    """One server-sent event."""

    id: int
    name: str
    told: Any


class Caller:
    """Somebody who has begun jobs at a gateway, and asks whichever is there."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60.0, trust_env=False, verify=False)

    def begin(self, **said: Any) -> Any:
        """Begin a job; give what was answered."""
        answer = self._client.post("/v1/jobs", json={"prompt": "a red circle", "seed": 7} | said)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def get(self, url: str) -> Any:
        """Say how a job stands; empty while nobody answers."""
        try:
            answer = self._client.get(url)
        except httpx.TransportError:
            return {}
        return answer.json() if answer.status_code == 200 else {}

    def ended(self, url: str) -> Any:
        """Wait for the end of a job, however often its servers go away."""
        return until(lambda: (told := self.get(url)).get("ended_at") and told)

    def post(self, path: str) -> httpx.Response:
        """Ask without a body."""
        return self._client.post(path)

    def digests(self, job: Mapping[str, Any]) -> list[str]:
        """Fetch the images of a job; give what their bytes are."""
        images = [self._client.get(one["url"]) for one in job["images"]]
        assert all(image.status_code == 200 for image in images)
        found = ["sha256:" + hashlib.sha256(image.content).hexdigest() for image in images]
        assert found == [one["digest"] for one in job["images"]]
        return found

    def watch(
        self, url: str, *, last: int = 0, on_event: Callable[[Event], None] | None = None
    ) -> list[Event]:
        """Read events behind the last one that is known, until they end or the connection does."""
        found: list[Event] = []
        headers = {"Last-Event-ID": str(last)} if last else {}
        try:
            with self._client.stream("GET", f"{url}/events", headers=headers) as answer:
                assert answer.status_code in (200, 204), answer.read()
                lines: dict[str, str] = {}
                for line in answer.iter_lines():
                    if line:
                        name, _colon, value = line.partition(": ")
                        lines[name] = value
                    elif "id" in lines:
                        event = Event(int(lines["id"]), lines["event"], json.loads(lines["data"]))
                        found.append(event)
                        lines = {}
                        if on_event:
                            on_event(event)
        except httpx.TransportError:
            pass
        return found

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
