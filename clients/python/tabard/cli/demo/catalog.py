# SPDX-License-Identifier: Apache-2.0
"""What the demo publishes: the adapter files that come with the server, and the part each plays."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabard.cli.local.extras import SERVER_EXTRA, install_hint
from tabard.enums import Kind
from tabard.errors import FailedPrecondition

INDEX = "index.json"

_NEEDED = ("tabard_server", "torch", "diffusers")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRelease:
    """One release the demo publishes.

    Attributes:
        file: What the trainer left.
        adapter: `namespace/name`.
        version: SemVer.
        kind: `lora`, `textual_inversion` or `dreambooth`.
        trigger: The word that wakes it, or empty.
        prompt: A prompt that shows it; a style's has no style words, so that the base draws it too.
        notes: The author's words.
        sampling: How it wants to be sampled; empty: nobody says so.
    """

    file: Path
    adapter: str
    version: str
    kind: Kind
    trigger: str
    prompt: str
    notes: str
    sampling: Mapping[str, Any]

    @property
    def is_few_step(self) -> bool:
        """Whether it was made for a few steps."""
        return "max" in self.sampling.get("steps", {})

    @property
    def short_name(self) -> str:
        """The name without its namespace."""
        return self.adapter.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The parts: a style, its bad successor, a second one, a new word, a subject, few steps."""

    style: DemoRelease
    successor: DemoRelease
    partner: DemoRelease
    word: DemoRelease
    subject: DemoRelease
    few_steps: DemoRelease

    @property
    def first_releases(self) -> tuple[DemoRelease, ...]:
        """Everything but the successor, which comes later."""
        return (self.style, self.partner, self.word, self.subject, self.few_steps)


def find_material() -> Path:
    """Give the folder with `base/` and `adapters/`, without importing the server.

    Raises:
        FailedPrecondition: The extra `server` is not installed, or the material is missing.
    """
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise FailedPrecondition(
                f"tabard demo needs {name}, which is not installed",
                reason="EXTRA_MISSING",
                hint=install_hint(SERVER_EXTRA),
            )
    spec = importlib.util.find_spec("tabard_server")
    assert spec is not None
    folder = Path(spec.origin or "").parent / "demo"
    if not (folder / "adapters" / INDEX).is_file():
        raise FailedPrecondition(
            f"the demo's adapters are not in '{folder}'",
            reason="DEMO_MATERIAL_MISSING",
            hint="reinstall tabard; from a checkout, build them with the recipe in deploy/demo",
        )
    return folder


def read_catalog(adapters: Path) -> Catalog:
    """Read `index.json` in a folder of adapter files.

    Raises:
        FailedPrecondition: A part is not in the index.
    """
    entries: list[dict[str, Any]] = json.loads((adapters / INDEX).read_text(encoding="utf-8"))
    releases = [_release(adapters, entry) for entry in entries]
    loras = [one for one in releases if one.kind == "lora" and not one.is_few_step]
    style = loras[0] if loras else None
    successor = next((one for one in loras[1:] if style and one.adapter == style.adapter), None)
    partner = next((one for one in loras if style and one.adapter != style.adapter), None)
    word = next((one for one in releases if one.kind == "textual_inversion"), None)
    subject = next((one for one in releases if one.kind.startswith("dreambooth")), None)
    few_steps = next((one for one in releases if one.is_few_step), None)
    if not (style and successor and partner and word and subject and few_steps):
        raise FailedPrecondition(
            f"'{adapters / INDEX}' does not name every part of the demo",
            reason="DEMO_MATERIAL_MISSING",
            hint="it needs a style in two versions, another style, a textual inversion, a subject, "
            "and a release that declares how few steps it takes at most",
        )
    return Catalog(
        style=style,
        successor=successor,
        partner=partner,
        word=word,
        subject=subject,
        few_steps=few_steps,
    )


def _release(adapters: Path, entry: dict[str, Any]) -> DemoRelease:
    return DemoRelease(
        file=adapters / entry["file"],
        adapter=entry["name"],
        version=entry["version"],
        kind=entry["kind"],
        trigger=entry.get("trigger") or "",
        prompt=entry.get("prompt") or "",
        notes=entry.get("notes") or "",
        sampling=entry.get("sampling") or {},
    )
