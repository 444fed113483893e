# SPDX-License-Identifier: Apache-2.0
"""Writes the page of results: tables, pictures, and what they were made from.

In: answers. Out: `capacity.md` and a folder of SVG files beside it. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from tests.capacity.chart import Chart, Points
from tests.capacity.fleet import Plan, Result
from tests.capacity.inputs import Inputs
from tests.capacity.scenarios import (
    ADAPTERS,
    DEMANDS,
    EXPONENTS,
    LINES,
    ROUTERS,
    SERVERS,
    TARGET_SECONDS,
    Found,
    Needed,
)

_WORDS = Path(__file__).with_name("page.md")
_NAMES = {"ring": "affinity", "least": "less of two", "random": "random"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Everything that was found."""

    hits: Found
    waves: Found
    balances: Found
    rings: Found
    gpus: Sequence[Needed]


def write_page(answers: Answers, *, inputs: Inputs, folder: Path, seed: int, scale: float) -> Path:
    """Write the page and its pictures; return the page."""
    pictures = folder / "capacity"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, text in _pictures(answers).items():
        (pictures / f"{name}.svg").write_text(text, encoding="utf-8")
    words = Template(_WORDS.read_text(encoding="utf-8"))
    page = folder / "capacity.md"
    page.write_text(
        words.substitute(
            seed=seed,
            scale=f"{scale:g}",
            hits=_hits(answers.hits),
            servers=_servers(answers.hits),
            waves=_waves(answers.waves),
            balances=_balances(answers.balances),
            rings=_rings(answers.rings),
            gpus=_gpus(answers.gpus, inputs=inputs),
            inputs=_inputs(inputs),
            target=f"{TARGET_SECONDS:g}",
        ),
        encoding="utf-8",
    )
    return page


def _pictures(answers: Answers) -> dict[str, str]:
    return {
        "host-hits": Chart(
            title="Adapters found in host memory, ten servers",
            across="release lines",
            up="found",
            top=1.0,
            write=_percent,
        ).draw(_by_exponent(answers.hits, value=lambda one: one.host_hits)),
        "queue": Chart(
            title="99 of 100 images began within, ten servers",
            across="release lines",
            up="seconds",
        ).draw(_by_exponent(answers.hits, value=lambda one: one.queue_p99)),
        "store-loads": Chart(
            title="Loads from the bucket for each image",
            across="servers",
            up="loads",
        ).draw(_by_servers(answers.hits, value=lambda one: one.store_loads)),
        "gpus": Chart(
            title=f"GPUs, so that 99 of 100 images begin within {TARGET_SECONDS:g} s",
            across="images a second, on average of the day",
            up="GPUs",
            is_log=True,
        ).draw(
            {
                _NAMES[router]: [
                    (one.demand, one.servers)
                    for one in answers.gpus
                    if one.router == router and one.servers
                ]
                for router in ROUTERS
            }
        ),
    }


def _by_exponent(found: Found, *, value: Callable[[Result], float]) -> dict[str, Points]:
    return {
        f"{exponent:g}, {_NAMES[router]}": [
            (adapters, value(one))
            for adapters in ADAPTERS
            for one in _of(found, 10, adapters, exponent, router)
        ]
        for exponent in EXPONENTS
        for router in ("ring", "random")
    }


def _by_servers(found: Found, *, value: Callable[[Result], float]) -> dict[str, Points]:
    return {
        f"{adapters:,}, {_NAMES[router]}": [
            (servers, value(one))
            for servers in SERVERS
            for one in _of(found, servers, adapters, 1.0, router)
        ]
        for adapters in LINES[max(SERVERS)]
        for router in ("ring", "random")
    }


def _hits(found: Found) -> str:
    rows = (
        (f"{exponent:g}", f"{adapters:,}", _NAMES[router], *_cells(result))
        for exponent in EXPONENTS
        for adapters in ADAPTERS
        for router in ("ring", "random")
        for result in _of(found, 10, adapters, exponent, router)
    )
    return _table(("exponent", "release lines", "router", *_HEADS), rows)


def _servers(found: Found) -> str:
    rows = (
        (f"{servers:,}", f"{adapters:,}", _NAMES[router], *_cells(result))
        for servers in SERVERS
        for adapters in LINES[servers]
        for router in ("ring", "random")
        for result in _of(found, servers, adapters, 1.0, router)
    )
    return _table(("servers", "release lines", "router", *_HEADS), rows)


def _waves(found: Found) -> str:
    rows = ((f"1:{plan.wave:g}", _NAMES[plan.router], *_cells(one)) for plan, one in found.items())
    return _table(("wave", "router", *_HEADS), rows)


def _balances(found: Found) -> str:
    rows = ((_router(plan), f"{one.spread:.2f}", *_cells(one)) for plan, one in found.items())
    return _table(("router", "busiest to mean", *_HEADS), rows)


def _rings(found: Found) -> str:
    rows = (
        (f"{plan.ring_size:,}", f"{one.spread:.2f}", *_cells(one)) for plan, one in found.items()
    )
    return _table(("`minimum_ring_size`", "busiest to mean", *_HEADS), rows)


def _gpus(gpus: Sequence[Needed], *, inputs: Inputs) -> str:
    def cells(demand: float) -> Iterable[str]:
        for router in ROUTERS:
            one = next(n for n in gpus if (n.demand, n.router) == (demand, router))
            yield f"{one.servers}" if one.servers else "not found"

    rows = (
        (f"{demand:g}", f"{demand * 1.6 / inputs.images_per_second:.1f}", *cells(demand))
        for demand in DEMANDS
    )
    heads = ("images a second", "full batches, at the peak", *(_NAMES[one] for one in ROUTERS))
    return _table(heads, rows)


def _inputs(inputs: Inputs) -> str:
    names = ("images_per_second", "store_seconds")
    rows = [(f"`{name}`", f"{getattr(inputs, name):.3g}") for name in names]
    return _table(("follows from them", "is"), rows)


_HEADS = ("slots", "host memory", "disk", "from the bucket, an image", "queue p50", "p99", "busy")


def _cells(result: Result) -> tuple[str, ...]:
    shares = (result.slot_hits, result.host_hits, result.disk_hits)
    seconds = (result.queue_p50, result.queue_p99)
    return (
        *map(_percent, shares),
        f"{result.store_loads:.2f}",
        *(f"{one:.2f} s" for one in seconds),
        _percent(result.busy),
    )


def _of(
    found: Found, servers: int, adapters: int, exponent: float, router: str
) -> Iterator[Result]:
    """Yield the day of these; none where it was left out."""
    wanted = (servers, adapters, exponent, router)
    for plan, result in found.items():
        if (plan.servers, plan.adapters, plan.exponent, plan.router) == wanted:
            yield result


def _router(plan: Plan) -> str:
    if plan.router != "ring":
        return _NAMES[plan.router]
    return f"affinity, {plan.balance_factor} %" if plan.balance_factor else "affinity, no bound"


def _percent(part: float) -> str:
    return f"{part:.0%}".replace("%", " %")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
