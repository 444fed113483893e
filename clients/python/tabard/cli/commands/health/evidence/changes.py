# SPDX-License-Identifier: Apache-2.0
"""What people may change of a report: taken out of it, changed, and put back. Pure.

In: a report as JSON. Out: a smaller document with every field that can be said, or a report again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

CHECKS = (
    *("prompt_drift", "style_mismatch", "artifact"),
    *("copyright", "portrait", "review_failure"),
)
"""The failure checks of every report."""

_UNSAID: Mapping[str, Any] = {
    "goal": {"purpose": "", "statement": "", "why_this_method": ""},
    "prompt_record": [],
    "technical": {},
    "outcome": "",
}
_CANDIDATE: Mapping[str, Any] = {"selected": False, "why": ""}
_CHECK: Mapping[str, Any] = {"state": "not_checked", "by": "", "note": ""}
_DIGITS = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


def editable(report: Mapping[str, Any]) -> dict[str, Any]:
    """Take out of a report what people complete; what is not said yet stands there empty."""
    said = report.get("checks", {})
    part = {name: _filled(report.get(name), unsaid=one) for name, one in _UNSAID.items()}
    return {
        **part,
        "checks": {name: {**_CHECK, **said.get(name, {})} for name in CHECKS},
        "candidates": [{**one, **_choice(one)} for one in report.get("candidates", ())],
    }


def merged(report: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Put what people wrote back into a report; a whole report takes its place.

    What is not said stays, within a goal or a check as well.

    Raises:
        click.UsageError: It says something of what people do not complete.
    """
    if "kind" in said:
        return dict(said)
    part = _overlaid(editable(report), said)
    known = {*_UNSAID, "checks", "candidates"}
    unknown = sorted(set(part) - known)
    if unknown:
        raise click.UsageError(
            f"people do not complete {unknown[0]!r}; they do: {', '.join(sorted(known))}"
        )
    return {**report, **part}


def is_same(report: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether an edit changes nothing."""
    measured = {**report, **editable(report)}
    return bool(measured == {**wanted, **editable(wanted)})


def assign(part: dict[str, Any], said: str, *, note: str = "") -> None:
    """Change one field, as `checks.copyright=clear` says it; a check takes a note with it.

    A candidate is named by its place, or by 12 digits of its picture.

    Raises:
        click.UsageError: There is no such field, or the value is none for it.
    """
    path, equals, value = said.partition("=")
    *way, name = path.strip().split(".")
    if not equals or not name:
        raise click.UsageError(f"--set takes FIELD=VALUE, not {said!r}")
    place: Any = part
    for step in way:
        place = _step(place, step, path=path)
    if way == ["checks"]:
        check = _step(place, name, path=path)
        check["state"] = value.strip()
        check["note"] = note or check["note"]
        return
    if not isinstance(place, dict) or name not in place:
        raise _unknown(path, names=place if isinstance(place, dict) else ())
    place[name] = _value(value, like=place[name], path=path)


def _overlaid(part: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    both = {**part, **said}
    return {
        name: _overlaid(part[name], one)
        if isinstance(one, Mapping) and isinstance(part.get(name), Mapping)
        else one
        for name, one in both.items()
    }


def _choice(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one.get(name, unsaid) for name, unsaid in _CANDIDATE.items()}


def _filled(value: Any, *, unsaid: Any) -> Any:
    if isinstance(unsaid, Mapping):
        return {**unsaid, **(value if isinstance(value, Mapping) else {})}
    return unsaid if value is None else value


def _step(place: Any, step: str, *, path: str) -> Any:
    if isinstance(place, dict) and step in place:
        return place[step]
    if isinstance(place, list):
        if step.isdecimal() and len(step) < 6 and int(step) < len(place):
            return place[int(step)]
        digits = step.removeprefix("sha256:")
        if _DIGITS.fullmatch(step):
            found = [one for one in place if _digits(one).startswith(digits)]
            if len(found) == 1:
                return found[0]
    raise _unknown(path, names=place if isinstance(place, dict) else ())


def _digits(one: Any) -> str:
    return str(one.get("image", "")).removeprefix("sha256:") if isinstance(one, dict) else ""


def _value(text: str, *, like: Any, path: str) -> Any:
    """Read a value as what stood there: a text as it is, all else as JSON."""
    if isinstance(like, str):
        return text
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{path} is no text: write its value as JSON") from error
    is_number = isinstance(like, int | float) and not isinstance(like, bool)
    wanted: Any = (int, float) if is_number else type(like)
    if not isinstance(found, wanted) or isinstance(found, bool) != isinstance(like, bool):
        raise click.UsageError(f"{path} takes another kind of value, like {json.dumps(like)}")
    return found


def _unknown(path: str, *, names: Sequence[str] | Mapping[str, Any]) -> click.UsageError:
    known = f"; there are: {', '.join(names)}" if names else ""
    return click.UsageError(f"people complete no {path!r}{known}")
