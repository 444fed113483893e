# SPDX-License-Identifier: Apache-2.0
"""What a demo leaves behind: the single images, the labelled contact sheet, and summary.json."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabard.cli.contact_sheet import SheetRow, contact_sheet, sheet_png
from tabard.cli.demo import folder as names
from tabard.cli.demo.proof import Proof
from tabard.cli.demo.story import BAD, GUIDANCE_SCALE, RESTORED, SAMPLER, STEPS, STYLE, Row, Told
from tabard.cli.output import to_json

_TITLE = "Tabard: one resident base, a style per request, a bad release rolled back"


def write_outputs(told: Told, *, proof: Proof, seconds: dict[str, float], folder: Path) -> Any:
    """Write images, sheet and summary; give the summary."""
    files = [_save_images(row, folder) for row in told.rows]
    (folder / names.SHEET).write_bytes(sheet_png(_draw_sheet(told, proof=proof)))
    summary = summarise(told, proof=proof, seconds=seconds, files=files)
    (folder / names.SUMMARY).write_text(to_json(summary) + "\n", encoding="utf-8")
    return summary


def summarise(
    told: Told, *, proof: Proof, seconds: dict[str, float], files: list[list[str]]
) -> dict[str, Any]:
    """Give the summary: what held, digests, moves, versions and timings."""
    images = sum(len(row.images) for row in told.rows)
    drawing_seconds = sum(row.seconds for row in told.rows)
    return {
        **asdict(proof),
        "failures": list(proof.failures),
        "tabard": told.status.version,
        "versions": told.rows[0].images[0].provenance.get("versions", {}),
        "registry_id": told.status.registry_id,
        "registry_seq": told.status.registry_seq,
        "base": {
            "family": told.status.base_family,
            "fingerprint": told.status.base_fingerprint,
            "source": told.status.base_source,
            "device": told.status.device,
        },
        "settings": {"steps": STEPS, "guidance_scale": GUIDANCE_SCALE, "sampler": SAMPLER},
        "releases": [
            {
                "adapter": release.adapter,
                "version": release.version,
                "digest": release.digest,
                "kind": release.kind,
                "dialect": release.dialect,
                "seq": release.seq,
            }
            for release in told.releases
        ],
        "channel_moves": _moves(told),
        "rows": [_row(*pair) for pair in zip(told.rows, files, strict=True)],
        "images": images,
        "images_per_second": images / drawing_seconds,
        "seconds": {
            "publish": told.publish_seconds,
            "promote": told.promote_seconds,
            "rollback": told.rollback_seconds,
            "drawing": drawing_seconds,
            **seconds,
        },
    }


def _moves(told: Told) -> list[dict[str, Any]]:
    return [
        {
            "seq": record.seq,
            "time": record.time,
            "actor": record.actor,
            "reason": record.reason,
            **asdict(action),
        }
        for record in told.records
        for action in record.actions
        if action.type in ("promote", "rollback")
    ]


def _row(row: Row, files: list[str]) -> dict[str, Any]:
    return {
        "key": row.key,
        "label": row.label,
        "prompt": row.prompt,
        "worn": [asdict(worn) for worn in row.worn],
        "seconds": row.seconds,
        "images": [
            {"seed": image.seed, "file": file, "sha256": hashlib.sha256(image.content).hexdigest()}
            for image, file in zip(row.images, files, strict=True)
        ],
    }


def _save_images(row: Row, folder: Path) -> list[str]:
    target = folder / names.IMAGES
    target.mkdir(exist_ok=True)
    saved = [image.save(target / f"{row.key}--{image.seed}.png") for image in row.images]
    return [path.relative_to(folder).as_posix() for path in saved]


def _draw_sheet(told: Told, *, proof: Proof) -> Any:
    rows = [
        SheetRow(
            label=row.label,
            note=_note(row, proof),
            images=tuple(image.pil for image in row.images),
        )
        for row in told.rows
    ]
    seeds = [f"seed {image.seed}" for image in told.rows[0].images]
    return contact_sheet(rows, columns=seeds, title=_TITLE, caption=_caption(told, proof))


def _note(row: Row, proof: Proof) -> str:
    if row.key != RESTORED:
        return row.note
    return f"{row.note}; {'byte-identical' if proof.rollback_identical else 'NOT identical'}"


def _caption(told: Told, proof: Proof) -> str:
    style, bad = told.row(STYLE), told.row(BAD)
    same = "byte for byte the same files" if proof.rollback_identical else "NOT the same files"
    return (
        f"Prompt “{style.prompt}” unless a row says otherwise; {STEPS} steps of {SAMPLER}, "
        f"guidance {GUIDANCE_SCALE:g}, one seed a column. {style.label} was live, then its bad "
        f"successor {bad.label} was promoted, then the channel was rolled back in "
        f"{told.rollback_seconds * 1000:.0f} ms with nothing restarted: the rows {style.label} and "
        f"“after the rollback” are {same}."
    )
