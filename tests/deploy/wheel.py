# SPDX-License-Identifier: Apache-2.0
"""`make wheel`: what a visitor gets, without this checkout: a wheel, a fresh environment, the demo.

Builds the wheel, installs it with the pinned versions into an environment of its own, and runs
`tabard demo` from there in an empty folder. Needs nothing but Python and what pip needs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINS = ROOT / "constraints.txt"
WHEEL_BYTES_MAX = 25 * 1_000_000
SHEET = "contact-sheet.png"


def main(arguments: list[str]) -> int:
    """Do it all, say what each step cost, and return 0 once the demo held."""
    parser = argparse.ArgumentParser(prog="make wheel", description=__doc__)
    parser.add_argument("--torch-index", default="", help="where torch comes from, if not usual")
    said = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tabard-wheel-") as folder:
        return check(Path(folder), torch_index=said.torch_index)


def check(folder: Path, *, torch_index: str) -> int:
    """Build, install and run in an empty folder."""
    python = folder / "venv/bin/python"
    pip = [python, "-m", "pip"]
    run("venv", [sys.executable, "-m", "venv", folder / "venv"], folder=folder)
    run("build", [*pip, "wheel", "--no-deps", "-w", folder / "dist", ROOT], folder=folder)
    [wheel] = (folder / "dist").glob("tabard-*.whl")
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.1f} MB", flush=True)
    if size > WHEEL_BYTES_MAX:
        print(f"the wheel has more than {WHEEL_BYTES_MAX / 1e6:.0f} MB", file=sys.stderr)
        return 1
    if torch_index:
        only_torch = ["-c", PINS, "--no-deps", "--index-url", torch_index, "torch"]
        run("torch", [*pip, "install", *only_torch], folder=folder)
    wanted = f"tabard[server,web] @ {wheel.as_uri()}"
    run("install", [*pip, "install", "-c", PINS, wanted], folder=folder)
    run("gateway", [python, "-c", "import tabard_web.app, tabard_web.serving"], folder=folder)
    run("demo", [folder / "venv/bin/tabard", "demo", "--out", "shown"], folder=folder)
    if not (folder / "shown" / SHEET).is_file():
        print(f"the demo left no {SHEET}", file=sys.stderr)
        return 1
    return 0


def run(what: str, command: list[str | Path], *, folder: Path) -> None:
    """Run one step; whatever it prints is shown once it fails."""
    # Nothing of the checkout, nor of somebody's settings, may help.
    kept = {
        name: text
        for name, text in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("TABARD_")
    }
    pins = {"PIP_CONSTRAINT": str(PINS), "PIP_BUILD_CONSTRAINT": str(PINS)}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    begun = time.monotonic()
    ran = subprocess.run(
        command,
        cwd=folder,
        env=kept | pins | offline | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"{time.monotonic() - begun:7.0f} s  {what}", flush=True)
    if ran.returncode:
        print(ran.stdout, file=sys.stderr)
        sys.exit(ran.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
