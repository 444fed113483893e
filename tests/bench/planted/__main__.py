# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.bench.planted`: planted releases on the demo base, by each kind of encoder.

Prints a table of verdicts and figures; what was judged otherwise than promised is marked. The
numbers are JSON on the last line. `--files DIR` keeps what is trained, for the next time.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from tests.bench.planted import releases
from tests.bench.planted.trial import (
    ENCODERS,
    SUBJECTS,
    TRAINED,
    WEIGHTS,
    Outcome,
    judge,
    judge_copies,
    server,
    write_grid,
    write_subject_grid,
)

_SHOWN = (
    "style",
    "subject",
    "identifiability",
    "diversity",
    "drift",
    "worst_prompt",
    "copies",
    "broken",
)
_TRAINERS: dict[str, Callable[[Path], None]] = {
    "1.3.0": partial(releases.train_retrain, seed=1234),
    "1.4.0": releases.train_collapsed,
    "1.5.0": partial(releases.train_retrain, seed=4321),
}


def main() -> None:
    """Train, evaluate, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.planted", description=__doc__)
    parser.add_argument("--files", type=Path, help="where trained files are kept")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kept = chosen.files or folder
        trained = {version: kept / f"planted-{version}.safetensors" for version in _TRAINERS}
        for version, path in trained.items():
            if not path.exists():
                _TRAINERS[version](path)
        grid, subject_grid = write_grid(folder), write_subject_grid(folder)
        found: dict[str, list[Outcome]] = {}
        for name, encoders in ENCODERS.items():
            with server(folder, encoders=encoders, trained=trained) as client:
                outcomes = [judge(client, one, grid=grid) for one in (*WEIGHTS, *TRAINED)]
                outcomes += [judge(client, one, grid=subject_grid) for one in SUBJECTS[name]]
                found[name] = outcomes + judge_copies(client, grid=grid)
            _show(name, found[name])
    print(json.dumps({name: list(map(asdict, one)) for name, one in found.items()}))


def _show(name: str, outcomes: list[Outcome]) -> None:
    print(f"\nencoders: {name}\n")
    print("| planted | verdict | " + " | ".join(_SHOWN) + " |")
    print("|" + "---|" * (len(_SHOWN) + 2))
    for one in outcomes:
        verdict = one.verdict if one.is_right else f"**{one.verdict}** (not {one.promised[0]})"
        figures = " | ".join(_figure(one.figures.get(score)) for score in _SHOWN)
        print(f"| {one.plant} | {verdict} | {figures} |", flush=True)
    for one in outcomes:
        if not one.is_right:
            print(f"{one.plant}: " + "; ".join(one.reasons))


def _figure(figure: tuple[float | None, ...] | None) -> str:
    if figure is None or figure[0] is None:
        return ""
    value, low, high, paired_low, paired_high = figure
    text = f"{value:.2f}"
    if low is not None and high is not None:
        text += f" [{low:.2f}, {high:.2f}]"
    if paired_low is not None and paired_high is not None:
        text += f" ({paired_low:+.2f} to {paired_high:+.2f})"
    return text


if __name__ == "__main__":
    main()
