# SPDX-License-Identifier: Apache-2.0
"""A document about a release in words. In: the JSON that a server sent, as it came.

What is missing is not shown; what nobody checked is shown as that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabard.cli.layout import Answer, Text
from tabard.cli.output import fields, short, table
from tabard.health.evaluation import PERSON_DECIDES
from tabard.health.evidence import EvidenceDocument

STYLES = {"success": "bold green", "failed": "bold red", "inconclusive": "bold yellow"}
"""How a verdict looks."""
_CHECKS = (
    *("prompt_drift", "style_mismatch", "artifact"),
    *("copyright", "portrait", "review_failure"),
)
_NOT_CHECKED = "not checked"


def text_of(found: EvidenceDocument) -> Iterator[Answer]:
    """Say what a document says."""
    said = found.document
    title = f"{found.adapter} {found.version}"
    yield Text.assemble((title, "bold"), f"  {found.note.kind} {short(found.note.digest)}")
    if found.note.kind == "report":
        yield from _report(said)
    else:
        yield from _pictures(found, said=said)


def _report(said: Mapping[str, Any]) -> Iterator[Answer]:
    yield fields(_facts(said))
    yield from _scores(_list(said, "scores"))
    yield from _prompts(_list(said, "prompts"), asked=_asked_of_prompts(said))
    yield from _candidates(said)
    yield from _technical(_map(said, "technical"))
    yield from _checks(_map(said, "checks"))
    verdict = str(said.get("verdict", ""))
    yield ""
    yield Text.assemble("verdict: ", (verdict, STYLES.get(verdict.lower(), "")))
    for reason in _list(said, "reasons"):
        yield f"  {reason}"
    yield f"outcome: {said.get('outcome') or 'nobody has said what came of it'}"
    yield PERSON_DECIDES


def _facts(said: Mapping[str, Any]) -> dict[str, str]:
    goal, against = _map(said, "goal"), _map(said, "against")
    encoders = [f"{one.get('name', '')} ({one.get('kind', '')})" for one in _list(said, "encoders")]
    return {
        "purpose": str(goal.get("purpose", "")),
        "goal": str(goal.get("statement", "")) or "nobody has said what it is for",
        "why this method": str(goal.get("why_this_method", "")) or "nobody has said why",
        "compared with": f"{against['version']} {short(str(against.get('digest', '')))}"
        if against.get("version")
        else "the base alone",
        "grid": short(str(said.get("grid", ""))),
        "encoders": ", ".join(encoders),
        "prompt record": f"{len(_list(said, 'prompt_record'))} prompts",
        "judged by": _judged_by(said),
        "drafted by": str(said.get("drafted_by", "")),
        "edit of": short(str(said.get("edited_from") or "")),
    }


def _judged_by(said: Mapping[str, Any]) -> str:
    policies = [one for one in _list(said, "policies") if isinstance(one, Mapping)]
    asked = [f"{name} {bound}" for one in policies for name, bound in _map(one, "bounds").items()]
    if not asked:
        return "the bounds of its server" if said.get("bounds") else ""
    patterns = ", ".join(str(one.get("pattern", "")) for one in policies)
    return f"what {patterns} asked for ({', '.join(asked)}), else the bounds of its server"


def _scores(scores: Sequence[Mapping[str, Any]]) -> Iterator[Answer]:
    rows = [
        (
            str(one.get("name", "")),
            _value(one),
            _interval(one.get("low"), one.get("high"), digits=0 if _is_count(one) else 2),
            _number(one.get("baseline")),
            _interval(one.get("paired_low"), one.get("paired_high")),
            str(one.get("reason", "")),
        )
        for one in scores
    ]
    if rows:
        yield ""
        yield table("score", "value", "interval", "baseline", "difference", "means", rows=rows)


def _asked_of_prompts(said: Mapping[str, Any]) -> str:
    """Say what makes a prompt stable: all of its interval at the bound of what it is for."""
    measured = [one.get("name") for one in _list(said, "scores") if one.get("state") == "measured"]
    name = "subject" if "subject" in measured else "style"
    bound = _number(_map(said, "bounds").get(f"{name}_min"))
    return f": {name} at least {bound}, interval and all" if bound else ""


def _prompts(prompts: Sequence[Mapping[str, Any]], *, asked: str) -> Iterator[Answer]:
    names = ((True, f"stable prompt{asked}"), (False, "prompt that is not stable"))
    for is_stable, name in names:
        rows = [
            (
                str(one.get("prompt", "")),
                _number(one.get("mean")),
                _interval(one.get("low"), one.get("high")),
            )
            for one in prompts
            if one.get("stable") is is_stable
        ]
        if rows:
            yield ""
            yield table(name, "mean", "interval", rows=rows)


def _candidates(said: Mapping[str, Any]) -> Iterator[Answer]:
    every = _list(said, "candidates")
    chosen = [one for one in every if one.get("selected") or one.get("why")]
    if not every:
        return
    yield ""
    if chosen:
        rows = [
            (
                "selected" if one.get("selected") else "rejected",
                f"prompt {one.get('prompt', '')}, seed {one.get('seed', '')}",
                short(str(one.get("image", ""))),
                str(one.get("why", "")),
            )
            for one in sorted(chosen, key=lambda one: not one.get("selected"))
        ]
        yield table("candidate", "of", "picture", "why", rows=rows)
    left = len(every) - len(chosen)
    if left:
        yield f"{left} of {len(every)} candidates: nobody has selected or rejected them"


def _technical(said: Mapping[str, Any]) -> Iterator[Answer]:
    layers, libraries = _map(said, "layers"), _map(said, "libraries")
    latents = "x".join(str(one) for one in _list(said, "latent_size"))
    facts = {
        "kind": str(said.get("kind", "")),
        "rank": _word(said.get("rank")),
        "worn": str(said.get("mode", "")),
        "weight": f"{said.get('weight', 1.0)}",
        "steps": _word(said.get("steps")),
        "sampler": str(said.get("sampler", "")),
        "latents": latents,
        "layers": f"{layers.get('targets', 0)}, {layers.get('cross_attention', 0)} of them "
        "cross-attention",
        "hardware": str(said.get("hardware", "")),
        "dtype": str(said.get("dtype", "")),
        "libraries": ", ".join(f"{name} {version}" for name, version in libraries.items()),
    }
    if said:
        yield ""
        yield fields(facts)


def _checks(said: Mapping[str, Any]) -> Iterator[Answer]:
    rows = []
    for name in _CHECKS:
        one = _map(said, name)
        state = str(one.get("state", "not_checked")).replace("_", " ")
        rows.append(
            (name.replace("_", " "), state, str(one.get("by", "")), str(one.get("note", "")))
        )
    yield ""
    yield table("failure check", "state", "by", "note", rows=rows)


def _pictures(found: EvidenceDocument, *, said: Mapping[str, Any]) -> Iterator[Answer]:
    embeddings = _list(said, "embeddings")
    if embeddings:
        yield f"embeddings of {len(embeddings)} encoders"
    yield f"{len(found.pictures)} pictures"
    for one in found.pictures:
        yield f"  {short(one)}"


def _map(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return value if isinstance(value, Mapping) else {}


def _list(said: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = said.get(name)
    return value if isinstance(value, list) else []


def _value(score: Mapping[str, Any]) -> str:
    if _is_count(score):
        return f"{_number(score.get('value'), digits=0)} of {score['of']}"
    return _number(score.get("value")) or _NOT_CHECKED


def _is_count(score: Mapping[str, Any]) -> bool:
    return isinstance(score.get("of"), int)


def _interval(low: Any, high: Any, *, digits: int = 2) -> str:
    if low is None or high is None:
        return ""
    return f"{_number(low, digits=digits)} to {_number(high, digits=digits)}"


def _number(value: Any, *, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else ""


def _word(value: Any) -> str:
    return str(value) if value else ""
