# SPDX-License-Identifier: Apache-2.0
"""One small LoRA, published."""

from pathlib import Path
from typing import Any

from tabard_registry import (
    AdapterName,
    Author,
    IntakeLimits,
    Registry,
    Release,
    ReleaseDraft,
    Version,
    check,
)
from tests.server.fakes import PROFILE
from tests.server.harness import lora_file


def publish_lora(
    registry: Registry,
    *,
    folder: Path,
    name: str = "acme/ink",
    version: str = "1.0.0",
    **said: Any,
) -> Release:
    """Publish a small LoRA; versions after the first one have bytes of their own."""
    file = folder / "style.safetensors"
    file.write_bytes(lora_file(rank=4, seed_text="" if version == "1.0.0" else version))
    checked = check([file], profile=PROFILE, limits=IntakeLimits())
    draft = ReleaseDraft(adapter=AdapterName.parse(name), version=Version.parse(version), **said)
    return registry.publish(
        draft, checked=checked, files=[file], author=Author(actor="tester")
    ).release
