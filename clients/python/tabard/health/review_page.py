# SPDX-License-Identifier: Apache-2.0
"""A review as one page of HTML that needs no script and no server: report, pictures, decisions.

In: a report, what people say of it, and what a picture is found by. Out: pieces of text, in order.
Every word that somebody wrote is text in it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

from tabard.health.review import Reviews

Address = Callable[[str], str]
"""Gives the address of a picture by its digest."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: file:"
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 1180px; margin: 2em auto; padding: 0 1.5em; }
h1 { margin-bottom: 0; } table { border-collapse: collapse; }
th, td { padding: 6px 10px 6px 0; text-align: left; vertical-align: top; }
.mono { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.cell { position: relative; display: grid; grid-template-columns: 1fr 1fr; gap: 2px; margin: 0; }
.cell img { width: 128px; height: 128px; object-fit: contain; image-rendering: pixelated; }
.sheet { overflow-x: auto; }
body:has(#flicker:checked) .cell { grid-template-columns: 1fr; }
body:has(#flicker:checked) .cell img { grid-area: 1 / 1; width: 192px; height: 192px; }
body:has(#flicker:checked):has(#side:checked) .cell img:first-child { visibility: hidden; }
body:has(#flicker:checked):not(:has(#side:checked)) .cell img + img { visibility: hidden; }
"""


def review_page(
    report: Mapping[str, Any], said: Reviews, *, digest: str, address_of: Address
) -> Iterator[str]:
    """Write the page, piece by piece, so that pictures within it need not be held at once.

    Args:
        report: The report.
        said: Reviews and votes.
        digest: Digest of the report.
        address_of: Gives the address of a picture.
    """
    against = str((report.get("against") or {}).get("version", ""))
    title = f"{said.adapter} {said.version}"
    yield "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
    yield f"<title>{escape(title)}: review</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{escape(title)}</h1><p>"
    yield escape(f"beside {against}; " if against else "compared with nothing; ")
    yield f"the report says <strong>{escape(str(report.get('verdict', '')))}</strong></p>"
    yield f"<p class='mono'>release {escape(said.digest)}<br>report {escape(digest)}</p>"
    yield from _decisions(said)
    yield from _votes(said)
    yield "<h2>Report</h2>"
    yield from _list(str(one) for one in report.get("reasons", ()))
    checks: Mapping[str, Mapping[str, str]] = report.get("checks", {})
    yield from _list(_check(name, one) for name, one in checks.items())
    yield from _sheet(report, version=said.version, against=against, address_of=address_of)
    yield "</main></body></html>\n"


def _decisions(said: Reviews) -> Iterator[str]:
    yield "<h2>Reviews</h2>"
    if not said.reviews:
        yield "<p>Nobody has reviewed it.</p>"
    yield from _list(
        f"{one.decision} by {one.reviewer}, {one.time}"
        + ("" if one.is_current else ", of an earlier report")
        + f": {one.note}"
        for one in said.reviews
    )


def _votes(said: Reviews) -> Iterator[str]:
    yield "<h2>Blind votes</h2><p>"
    yield escape(
        f"{said.votes_for_candidate} for it, {said.votes_for_baseline} for what it was compared "
        f"with, {said.votes_tied} ties, {said.votes_both_bad} against both"
    )
    yield "</p>"
    yield from _list(
        f"{name.replace('_', ' ')}: {ours} of its pictures, {theirs} of the others"
        for name, (ours, theirs) in said.labels.items()
    )


def _sheet(
    report: Mapping[str, Any], *, version: str, against: str, address_of: Address
) -> Iterator[str]:
    """Write the pictures: rows are prompts, the worst first, columns are seeds."""
    baseline = {(one["prompt"], one["seed"]): one["image"] for one in report.get("baseline", ())}
    rows: dict[int, dict[int, str]] = {}
    for one in report.get("candidates", ()):
        rows.setdefault(one["prompt"], {})[one["seed"]] = one["image"]
    seeds = sorted({seed for row in rows.values() for seed in row})
    means = {one["prompt"]: float(one["mean"]) for one in report.get("prompts", ())}
    texts = dict(enumerate(one.get("prompt", "") for one in report.get("prompt_record", ())))
    order = sorted(rows, key=lambda place: means.get(texts.get(place, ""), float("inf")))
    yield "<h2>Pictures</h2>"
    if baseline:
        yield "<p><label><input type='checkbox' id='flicker'> One in the place of the other"
        yield f"</label> <label><input type='checkbox' id='side'> Show {escape(against)}"
        yield "</label></p>"
    yield "<div class='sheet' tabindex='0'><table><thead><tr><th>Prompt</th>"
    yield "".join(f"<th>Seed {int(seed)}</th>" for seed in seeds) + "</tr></thead><tbody>"
    for place in order:
        text = str(texts.get(place, ""))
        mean = means.get(text)
        told = "not scored" if mean is None else f"style {mean:.3g}"
        yield f"<tr><th scope='row'>{escape(text)}<br><small>{told}</small></th>"
        for seed in seeds:
            sides = (rows[place].get(seed), version), (baseline.get((place, seed)), against)
            yield "<td><p class='cell'>"
            for image, owner in sides:
                if image:
                    words = escape(f"{owner}: {text}, seed {seed}")
                    yield f'<img alt="{words}" title="{words}" src="{escape(address_of(image))}">'
            yield "</p></td>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _check(name: str, one: Mapping[str, str]) -> str:
    words = [one.get("state", "").replace("_", " "), one.get("by", ""), one.get("note", "")]
    return f"{name.replace('_', ' ')}: {', '.join(word for word in words if word)}"


def _list(texts: Iterator[str]) -> Iterator[str]:
    items = [f"<li>{escape(one)}</li>" for one in texts]
    if items:
        yield f"<ul>{''.join(items)}</ul>"
