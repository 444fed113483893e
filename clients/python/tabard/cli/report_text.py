# SPDX-License-Identifier: Apache-2.0
"""A check report as text for people: yes or no, what the file is, what it changes, what is wrong.

In: the SDK's report. Out: what `Output.answer` prints. Says nothing that the report does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabard.cli.layout import Group, Text
from tabard.cli.output import fields, short, size
from tabard.releases.report import CheckReport, Coverage, Problem
from tabard.releases.sampling import sampling_text

_MODES = {
    "rows": "rows: worn beside other adapters in one batch",
    "merged": "merged: worn in a changed copy of the base, one stack at a time",
}
_MATCHES = {
    "same": "the file names this very base",
    "family": "the file names another base of the same family",
    "": "the file does not say which base it is for",
}
_TRAINER_KEYS = (
    "modelspec.title",
    "modelspec.author",
    "ss_output_name",
    "ss_network_module",
    "ss_base_model_version",
    "ss_sd_model_name",
    "ss_num_train_images",
    "ss_steps",
    "ss_epoch",
    "software",
    "name",
    "step",
    "sd_checkpoint_name",
)
"""What of a trainer's metadata people ask for; `--json` has all of it."""
_ALPHAS_MAX = 6
_VALUE_CHARS_MAX = 100


def report_text(report: CheckReport, *, names: Sequence[str]) -> list[Any]:
    """Give the report of the files of these names, one thing a line."""
    word, style = ("accepted", "bold green") if report.accepted else ("refused", "bold red")
    is_one = len(names) == 1
    lines = [
        Text(f"{word}{'' if is_one else ' as one adapter'}: {', '.join(names)}", style=style),
        fields(_facts(report)),
        *map(problem_text, report.problems),
    ]
    if not (is_one or report.accepted):
        lines.append("hint: if they are several adapters, check and publish each by itself")
    return lines


def problem_text(problem: Problem) -> Group:
    """Give a problem, its keys and its remedy."""
    lead = ("warning ", "yellow") if problem.is_warning else ("problem ", "red")
    lines = [Text.assemble(lead, (problem.reason, "bold"), f": {problem.message}")]
    lines += [Text(f"  {key}") for key in problem.keys]
    if problem.remedy:
        lines.append(Text(f"  hint: {problem.remedy}"))
    return Group(*lines)


def _facts(report: CheckReport) -> dict[str, str]:
    return {
        "kind": report.kind,
        "judged as": _judged_as(report),
        "dialect": report.dialect,
        "methods": ", ".join(f"{name} on {n}" for name, n in sorted(report.methods.items())),
        "rank": str(report.rank or ""),
        "alpha": _alphas(report.alphas),
        "targets": str(report.target_count or ""),
        "coverage": "; ".join(_coverage(report.coverage)),
        "tensors": f"{report.tensors_applied} of {report.tensor_count} would be applied",
        "base": _base(report),
        "declares": _listed(report.declared, report.declared),
        "triggers": ", ".join(report.trigger_words),
        "sampling": sampling_text(report.sampling),
        "mode": _MODES.get(report.mode, report.mode),
        "memory": size(report.resident_bytes) if report.resident_bytes else "",
        "trainer": _listed(report.training, _TRAINER_KEYS),
    }


def _judged_as(report: CheckReport) -> str:
    how = "unless tabard publish --purpose says otherwise"
    return f"{report.judged_as}, {how}" if report.judged_as else ""


def _alphas(alphas: Sequence[float]) -> str:
    shown = ", ".join(f"{alpha:g}" for alpha in alphas[:_ALPHAS_MAX])
    return shown + (f" and {len(alphas) - _ALPHAS_MAX} more" if len(alphas) > _ALPHAS_MAX else "")


def _coverage(parts: Sequence[Coverage]) -> Iterable[str]:
    for component in dict.fromkeys(part.component for part in parts):
        own = [part for part in parts if part.component == component and part.changed]
        if own:
            said = (f"{part.kind.replace('_', ' ')} {part.changed}/{part.total}" for part in own)
            yield f"{component}: {', '.join(said)}"


def _base(report: CheckReport) -> str:
    if not report.base_family:
        return ""
    match = _MATCHES.get(report.base_match, report.base_match)
    return f"{report.base_family} {short(report.base_fingerprint)}; {match}"


def _listed(table: Mapping[str, str], keys: Iterable[str]) -> str:
    found = ((key, table[key]) for key in keys if table.get(key))
    return ", ".join(f"{key}={value[:_VALUE_CHARS_MAX]}" for key, value in found)
