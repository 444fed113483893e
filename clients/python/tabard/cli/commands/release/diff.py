# SPDX-License-Identifier: Apache-2.0
"""`tabard diff`: two releases side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tabard.calls.options import SEED_MAX
from tabard.cli import completion
from tabard.cli.choices import refuse_without
from tabard.cli.commands.release.picture_diff import PictureDiff, in_words, picture_diff
from tabard.cli.layout import Text
from tabard.cli.numbers import Several, Whole
from tabard.cli.output import fields, short, table
from tabard.cli.session import Session, with_session
from tabard.releases.comparison import Diff, LayerDiff, LayerSide
from tabard.releases.release import Release

_LAYERS_SHOWN = 12
_LINES_SHOWN = 8


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.argument("other_ref", metavar="REF", shell_complete=completion.refs)
@click.option("--all", "is_whole", is_flag=True, help="Every layer, also those that are the same.")
@click.option(
    "--pictures", "has_pictures", is_flag=True, help="Draw both, and how far they are apart."
)
@click.option(
    "--prompt", "prompts", multiple=True, metavar="TEXT",
    help="With --pictures; repeatable. Default the first two of the second release's grid.",
)  # fmt: skip
@click.option(
    "--seeds",
    type=Several(Whole(min=0, max=SEED_MAX)),
    metavar="S,S,...",
    help="With --pictures; default the first two of that grid.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tabard-diff"),
    show_default=True,
    metavar="DIR",
    help="With --pictures: where they go.",
)
@with_session
def diff(
    session: Session, *, ref: str, other_ref: str, is_whole: bool, has_pictures: bool, **drawn: Any
) -> None:
    """Compare two releases: layers, ranks, norms, and what they say.

    A norm is the length (Frobenius) of the change of a weight, its scale included; the distance is
    that of the difference of both changes. Shown are the layers that differ most. With --pictures
    both are drawn with the same prompts and seeds, beside a heat map of the difference.

    \b
    tabard diff acme/watercolor@1.0.0 acme/watercolor@1.1.0
    tabard diff acme/watercolor@1.0.0 acme/watercolor@1.1.0 --pictures --out looks
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    if not has_pictures:
        refuse_without("--pictures", "prompts", "seeds", "out")
    pictures = None
    with session.connect() as client:
        found = client.diff(ref, other_ref)
        both = (found.release, found.other_release)
        if has_pictures and both[0].digest != both[1].digest:
            pictures = picture_diff(session, client, releases=both, **drawn)
    document = asdict(found) | ({"pictures": pictures} if has_pictures else {})
    session.output.answer(document, *_text(found, is_whole=is_whole), *_picture_text(pictures))


def beginning(text: str) -> str:
    """Cut what would fill the screen, as a whole configuration that only one side has."""
    lines = text.splitlines()
    if len(lines) <= _LINES_SHOWN + 1:
        return text
    hidden = len(lines) - _LINES_SHOWN
    return "\n".join((*lines[:_LINES_SHOWN], f"… {hidden} more lines: --json"))


def _text(found: Diff, *, is_whole: bool) -> Iterator[Any]:
    left, right = found.release, found.other_release
    yield Text(
        f"{left.adapter} {left.version} beside {right.adapter} {right.version}", style="bold"
    )
    if left.digest == right.digest:
        yield f"the same release, {short(left.digest)}"
        return
    yield fields(_sums(found))
    differing = sorted(filter(_differs, found.layers), key=_gap, reverse=True)
    shown: Sequence[LayerDiff] = found.layers if is_whole else differing[:_LAYERS_SHOWN]
    if shown:
        yield table(
            *("component", "layer", "rank", "norm", "distance"),
            rows=[
                (one.component, one.name, _ranks(one), _norms(one), _apart(one)) for one in shown
            ],
        )
    hidden = 0 if is_whole else len(differing) - len(shown)
    if hidden > 0:
        yield f"and {hidden} more that differ: add --all"
    if found.fields:
        rows = [
            (one.name, *map(beginning, _other_lines(one.left, one.right))) for one in found.fields
        ]
        yield table("says", *_headings(left, right), rows=rows)


def _picture_text(pictures: PictureDiff | None) -> Iterator[Any]:
    if pictures is None:
        return
    rows = [
        (one.prompt, str(one.seed), f"{one.pixels.mean:.1f}", f"{one.pixels.changed:.0%}")
        for one in pictures.pictures
    ]
    yield table("pictures of", "seed", "mean difference, of 255", "pixels changed", rows=rows)
    yield f"pictures differ: {in_words(pictures)}; side by side in {pictures.sheet}"


def _headings(left: Release, right: Release) -> tuple[str, str]:
    """Tell the columns apart: versions of one line, and lines by their names."""
    if left.adapter == right.adapter:
        return left.version, right.version
    return f"{left.adapter} {left.version}", f"{right.adapter} {right.version}"


def _other_lines(left: str, right: str) -> tuple[str, str]:
    """Leave out the lines that both texts have, where there are several."""
    lines, others = left.splitlines(), right.splitlines()
    if max(len(lines), len(others)) <= 1:
        return left, right
    return (
        "\n".join(line.strip() for line in lines if line not in others),
        "\n".join(line.strip() for line in others if line not in lines),
    )


def _sums(found: Diff) -> dict[str, str]:
    both = [one for one in found.layers if one.left and one.right]
    only = {
        side: sum(getattr(one, side) is not None for one in found.layers) - len(both)
        for side in ("left", "right")
    }
    differing = sum(map(_differs, found.layers))
    return {
        "layers": f"{len(found.layers)}: {len(both)} in both, {only['left']} only in the first, "
        f"{only['right']} only in the second; {differing} differ",
        "norm": f"{_total(one.left for one in found.layers)} and "
        f"{_total(one.right for one in found.layers)}",
        "distance": _number(_length([one.distance for one in both])) if both else "",
    }


def _differs(one: LayerDiff) -> bool:
    if one.left is None or one.right is None or one.distance is None:
        return one.left != one.right
    return one.distance > 0 or one.left.rank != one.right.rank


def _gap(one: LayerDiff) -> float:
    norms = [side.norm or 0.0 for side in (one.left, one.right) if side is not None]
    return one.distance if one.distance is not None else max(norms, default=0.0)


def _apart(one: LayerDiff) -> str:
    """Give the distance; of a layer that only one release changes there is none."""
    return _number(one.distance) if one.left and one.right else ""


def _ranks(one: LayerDiff) -> str:
    return _pair(one, lambda side: str(side.rank) if side.rank else side.method)


def _norms(one: LayerDiff) -> str:
    return _pair(one, lambda side: _number(side.norm))


def _pair(one: LayerDiff, read: Any) -> str:
    left, right = (read(side) if side else "none" for side in (one.left, one.right))
    return str(left) if left == right else f"{left} → {right}"


def _total(sides: Iterator[LayerSide | None] | Any) -> str:
    return _number(_length([side.norm for side in sides if side is not None]))


def _length(parts: Sequence[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return math.hypot(*known) if known else None


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"
