# SPDX-License-Identifier: Apache-2.0
"""Only the rooms that draw load the model libraries: the others are imported in a moment."""

import subprocess
import sys
from pathlib import Path

import tabard_server

ROOT = Path(tabard_server.__file__).parent
DRAWING = {"adapters", "encoders", "engine", "extraction", "pickles"}
"""Rooms that may; beside them only the composition root, which calls them late."""
LATE = {("safety", "loading")}
"""Modules of other rooms that the composition root alone calls, late as well."""
HEAVY = {"accelerate", "diffusers", "peft", "torch", "transformers"}


def light_modules() -> list[str]:
    """Name every module outside of those rooms."""
    files = (file.relative_to(ROOT).with_suffix("") for file in sorted(ROOT.rglob("*.py")))
    parts = [
        file.parts for file in files if file.parts[0] not in DRAWING and file.parts not in LATE
    ]
    return [".".join(("tabard_server", *one)).removesuffix(".__init__") for one in parts]


def test_server_is_imported_without_models() -> None:
    """Every module of the server, the composition root too, is imported by one fresh process."""
    names = light_modules()
    script = f"import sys, {', '.join(names)}; print(*({HEAVY} & set(sys.modules)))"

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert len(names) > 50
    assert ran.stdout.split() == []
