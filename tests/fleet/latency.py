# SPDX-License-Identifier: Apache-2.0
"""What Envoy adds to a call: the same calls by turns, bare and through it, on one machine.

    python -m tests.fleet.latency

One server of toy width, one channel to it and one to Envoy; medians and 99th percentiles.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tabard import Client
from tests.bases import make_tiny_base
from tests.fleet.envoy import run_envoy
from tests.fleet.replicas import running, server_in

STATUS_CALLS = 1_500
JOBS = 150


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = make_tiny_base(folder / "tiny")
        server = server_in(folder / "server", base=base, cache=folder / "cache")
        with (
            running([server]),
            run_envoy(folder / "envoy", servers={"tabard": [server.address]}) as envoy,
            Client(server.address) as bare,
            Client(envoy.address) as through,
        ):
            print(f"{'call':<24}{'':>8}{'p50 ms':>10}{'p99 ms':>10}")
            for what, count, call in (
                ("GetStatus", STATUS_CALLS, lambda client: client.status()),
                ("Generate, one step", JOBS, _draw),
            ):
                _print(what, *_by_turns(call, bare, through, count=count))


def _draw(client: Client) -> object:
    return client.generate("x", seed=1, num_inference_steps=1, width=16, height=16)


def _by_turns(
    call: Callable[[Client], object], bare: Client, through: Client, *, count: int
) -> tuple[list[float], list[float]]:
    """Give the seconds of each call, bare and through Envoy; the first tenth is not counted."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(count + count // 10):
        for client, seconds in zip((bare, through), found, strict=True):
            begun = time.perf_counter()
            call(client)
            seconds.append(time.perf_counter() - begun)
    return found[0][count // 10 :], found[1][count // 10 :]


def _print(what: str, bare: list[float], through: list[float]) -> None:
    for name, seconds in (("bare", bare), ("Envoy", through)):
        cuts = statistics.quantiles(seconds, n=100)
        print(f"{what:<24}{name:>8}{cuts[49] * 1e3:>10.2f}{cuts[98] * 1e3:>10.2f}")


if __name__ == "__main__":
    main()
