# SPDX-License-Identifier: Apache-2.0
"""A review as one page of HTML that needs no script and no server: report, pictures, decisions.

In: a report, and what people say of its release. Out: the page. A picture's address is its digest.
Every word that somebody wrote is text in it. Pure.
"""

from collections.abc import Iterable, Iterator
from html import escape

from tabard_registry import Release
from tabard_registry.evidence.report import Check, Report, Score
from tabard_registry.refs.digest import Digest
from tabard_registry.release.health import CHECKS
from tabard_server.reviewing.votes import Standing

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: file:"
_PROMPT_CHARS_SHOWN = 80
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


def review_page(report: Report, *, digest: Digest, release: Release, votes: Standing) -> bytes:
    """Write the page: the same report, of which the same was said, gives the same bytes.

    Args:
        report: The report.
        digest: Its digest.
        release: The release that it is about, with its reviews.
        votes: How the votes on its pairs stand.
    """
    against = str(report.against.version) if report.against else ""
    parts = (
        *_head(report, digest=digest, release=release, against=against),
        *_decisions(release, digest=digest),
        *_votes(votes),
        *_measured(report),
        *_sheet(report, version=str(release.version), against=against),
        "</main></body></html>\n",
    )
    return "".join(parts).encode()


def _head(report: Report, *, digest: Digest, release: Release, against: str) -> Iterator[str]:
    title = f"{release.adapter} {release.version}"
    yield "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
    yield f"<title>{escape(title)}: review</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{escape(title)}</h1><p>"
    yield escape(f"beside {against}; " if against else "compared with nothing; ")
    yield f"the report says <strong>{escape(report.verdict)}</strong></p>"
    yield f"<p class='mono'>release {release.digest}<br>report {digest}</p>"


def _decisions(release: Release, *, digest: Digest) -> Iterator[str]:
    yield "<h2>Reviews</h2>"
    said = sorted(release.health.reviews, key=lambda one: (one.told.seq, one.told.actor))
    if not said:
        yield "<p>Nobody has reviewed it.</p>"
    yield from _list(
        f"{one.decision} by {one.told.actor}, {one.told.time}"
        + ("" if one.evidence == digest else ", of another report")
        + f": {one.note}"
        for one in reversed(said)
    )


def _votes(votes: Standing) -> Iterator[str]:
    count, (candidate, baseline) = votes.choices, votes.labels
    yield "<h2>Blind votes</h2><p>"
    yield (
        f"{count['candidate']} for it, {count['stable']} for what it was compared with, "
        f"{count['tie']} ties, {count['both_bad']} against both</p>"
    )
    yield from _list(
        f"{_spaced(name)}: {candidate[name]} of its pictures, {baseline[name]} of the others"
        for name in CHECKS
        if candidate[name] or baseline[name]
    )


def _measured(report: Report) -> Iterator[str]:
    yield "<h2>Report</h2>"
    yield from _list(report.reasons)
    yield from _list(_check(name, one) for name, one in report.checks.items())
    if report.scores:
        yield "<table><thead><tr><th>Score</th><th>Value</th><th>Interval</th><th>Beside</th>"
        yield "</tr></thead><tbody>"
        yield from map(_score, report.scores)
        yield "</tbody></table>"


def _score(score: Score) -> str:
    if score.value is None:
        return (
            f"<tr><th scope='row'>{escape(_spaced(score.name))}</th>"
            f"<td colspan='3'>not checked: {escape(score.reason)}</td></tr>"
        )
    value = f"{score.value:.3g}" + (f" of {score.of}" if score.of is not None else "")
    has_interval = score.low is not None and score.high is not None
    interval = f"{score.low:.3g} to {score.high:.3g}" if has_interval else ""
    beside = "" if score.baseline is None else f"{score.baseline:.3g}"
    cells = "".join(f"<td>{one}</td>" for one in (value, interval, beside))
    return f"<tr><th scope='row'>{escape(_spaced(score.name))}</th>{cells}</tr>"


def _sheet(report: Report, *, version: str, against: str) -> Iterator[str]:
    """Write the pictures: rows are prompts, the worst first, columns are seeds."""
    baseline = {(one.prompt, one.seed): one.image for one in report.baseline}
    rows: dict[int, dict[int, Digest]] = {}
    for one in report.candidates:
        rows.setdefault(one.prompt, {})[one.seed] = one.image
    seeds = sorted({seed for row in rows.values() for seed in row})
    means = {one.prompt: one.mean for one in report.prompts}
    texts = {place: one.prompt for place, one in enumerate(report.prompt_record)}
    yield "<h2>Pictures</h2>"
    if baseline:
        yield "<p><label><input type='checkbox' id='flicker'> One in the place of the other"
        yield f"</label> <label><input type='checkbox' id='side'> Show {escape(against)}"
        yield "</label></p>"
    yield "<div class='sheet' tabindex='0'><table><thead><tr><th>Prompt</th>"
    yield "".join(f"<th>Seed {seed}</th>" for seed in seeds) + "</tr></thead><tbody>"
    for place in sorted(rows, key=lambda place: means.get(texts.get(place, ""), float("inf"))):
        text = texts.get(place, "")
        told = f"style {means[text]:.3g}" if text in means else "not scored"
        yield f"<tr><th scope='row'>{escape(text)}<br><small>{told}</small></th>"
        for seed in seeds:
            sides = (rows[place].get(seed), version), (baseline.get((place, seed)), against)
            yield "<td><p class='cell'>"
            yield from (_picture(one, owner, text, seed) for one, owner in sides if one)
            yield "</p></td>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _picture(image: Digest, owner: str, text: str, seed: int) -> str:
    words = escape(f"{owner}: {text[:_PROMPT_CHARS_SHOWN]}, seed {seed}")
    return f'<img alt="{words}" title="{words}" src="{image.hex}.png">'


def _check(name: str, one: Check) -> str:
    words = [_spaced(one.state), one.by, one.note]
    return f"{_spaced(name)}: {', '.join(word for word in words if word)}"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _list(texts: Iterable[str]) -> Iterator[str]:
    items = [f"<li>{escape(one)}</li>" for one in texts]
    if items:
        yield f"<ul>{''.join(items)}</ul>"
