# SPDX-License-Identifier: Apache-2.0
"""Adapter files as the demo expects them, with bytes that the fake server tells apart."""

import json
from pathlib import Path

import pytest

INDEX = [
    ("watercolor-1.0.0", "acme/watercolor", "1.0.0", "lora", "a red circle"),
    ("watercolor-1.1.0", "acme/watercolor", "1.1.0", "lora", "a red circle"),
    ("neon", "acme/neon", "1.0.0", "lora", "a red circle"),
    ("plum", "acme/plum", "1.0.0", "textual_inversion", "a <plum> circle"),
    ("mascot", "acme/mascot", "1.0.0", "dreambooth", "a sks mascot"),
    ("fast", "acme/fast", "1.0.0", "lora", "a red circle"),
]
SAMPLING = {
    "watercolor-1.0.0": {"steps": {"recommended": 20}},
    "fast": {"samplers": ["lcm"], "steps": {"max": 8, "recommended": 4}, "spacing": "trailing"},
}


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """Write six adapter files and their index."""
    folder = tmp_path / "material" / "adapters"
    folder.mkdir(parents=True)
    entries = []
    for stem, name, version, kind, prompt in INDEX:
        (folder / f"{stem}.safetensors").write_bytes(stem.encode())
        entries.append(
            {
                "file": f"{stem}.safetensors",
                "name": name,
                "version": version,
                "kind": kind,
                "trigger": "<plum>" if kind == "textual_inversion" else None,
                "prompt": prompt,
                "notes": f"notes of {stem}",
                "sampling": SAMPLING.get(stem),
            }
        )
    (folder / "index.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder
