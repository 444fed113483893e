# SPDX-License-Identifier: Apache-2.0
"""`make wheel`: what a visitor gets, without this checkout: a wheel, a fresh environment, the demo.

Builds the commit twice, from two clones, and compares; installs the wheel with all extras and the
pinned versions in an environment of its own; writes its bill of materials; has mypy look at its
types; and runs `tabard demo` from there in an empty folder. Leaves what it built in `dist/`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.wheel.bill import completed, missing
from tests.deploy.wheel.twins import differences
from tests.root import ROOT

PINS = ROOT / "constraints.txt"
TYPED = Path(__file__).with_name("typed.py")
DIST = ROOT / "dist"
WHEEL_BYTES_MAX = 25 * 1_000_000
SHEET = "contact-sheet.png"
EXTRAS = ("server", "web", "telemetry", "c2pa")
"""What users install; the others are for who works on Tabard."""

_EVERYWHERE = "import tabard_web.app, tabard_web.serving, c2pa, opentelemetry.sdk.trace"
# Two machines that agree on nothing but the commit.
_MACHINES: tuple[Mapping[str, str], ...] = (
    {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1", "UMASK": "022"},
    {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "2", "UMASK": "077"},
)


def main(arguments: list[str]) -> int:
    """Do it all, say what each step cost, and return 0 once everything held."""
    parser = argparse.ArgumentParser(prog="make wheel", description=__doc__)
    parser.add_argument("--torch-index", default="", help="where torch comes from, if not usual")
    said = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tabard-wheel-") as folder:
        return check(Path(folder), torch_index=said.torch_index)


def check(folder: Path, *, torch_index: str) -> int:
    """Build, install, look and run in an empty folder."""
    tools = _environment(folder, "tools")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["optional-dependencies"]["release"]
    run("tools", [tools, "-m", "pip", "install", "-c", PINS, *wanted], folder=folder)
    built = [_build(folder, number, python=tools) for number in range(len(_MACHINES))]
    if found := differences(*built):
        return failed("two builds of one commit differ", found)
    wheel = _kept(built[0])
    if wheel is None:
        return failed(f"the wheel has more than {WHEEL_BYTES_MAX / 1e6:.0f} MB", [])
    python = _environment(folder, "venv")
    pip = [python, "-m", "pip"]
    if torch_index:
        only_torch = ["-c", PINS, "--no-deps", "--index-url", torch_index, "torch"]
        run("torch", [*pip, "install", *only_torch], folder=folder)
    thing = f"tabard[{','.join(EXTRAS)}] @ {wheel.as_uri()}"
    run("install", [*pip, "install", "-c", PINS, thing], folder=folder)
    run("extras", [python, "-c", _EVERYWHERE], folder=folder)
    shutil.copy(TYPED, folder)
    strict = ["--strict", "--python-executable", python, TYPED.name]
    run("types", [tools, "-m", "mypy", *strict], folder=folder)
    if found := _bill(folder, wheel, tools=tools, python=python):
        return failed("the bill of materials is not what is installed", found)
    run("demo", [folder / "venv/bin/tabard", "demo", "--out", "shown"], folder=folder)
    if not (folder / "shown" / SHEET).is_file():
        return failed(f"the demo left no {SHEET}", [])
    return 0


def _environment(folder: Path, name: str) -> Path:
    run(name, [sys.executable, "-m", "venv", folder / name], folder=folder)
    return folder / name / "bin/python"


def _build(folder: Path, number: int, *, python: Path) -> Path:
    """Build wheel and sdist from a clone of the commit, as one of two machines."""
    clone, out = folder / f"clone-{number}", folder / f"built-{number}"
    machine = dict(_MACHINES[number])
    umask = int(machine.pop("UMASK"), 8)
    run("clone", ["git", "clone", "--quiet", ROOT, clone], folder=folder, umask=umask)
    told = subprocess.run(
        ["git", "show", "--no-patch", "--format=%ct", "HEAD"],
        cwd=clone,
        check=True,
        capture_output=True,
        text=True,
    )
    machine["SOURCE_DATE_EPOCH"] = told.stdout.strip()
    command = [python, "-m", "build", "--no-isolation", "--outdir", out, clone]
    run("build", command, folder=folder, says=machine, umask=umask)
    return out


def _kept(built: Path) -> Path | None:
    """Put what was built into `dist/` and return the wheel; None if it is too large."""
    shutil.rmtree(DIST, ignore_errors=True)
    shutil.copytree(built, DIST)
    [wheel] = DIST.glob("tabard-*.whl")
    for path in sorted(DIST.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
    return wheel if wheel.stat().st_size <= WHEEL_BYTES_MAX else None


def _bill(folder: Path, wheel: Path, *, tools: Path, python: Path) -> list[str]:
    """Write the bill of materials beside the wheel; return what is wrong with it."""
    raw = folder / "bill.json"
    form = ["--output-reproducible", "--output-format", "JSON", "--spec-version", "1.6"]
    tool = tools.with_name("cyclonedx-py")
    run("bill", [tool, "environment", *form, "--output-file", raw, python], folder=folder)
    document = completed(json.loads(raw.read_text(encoding="utf-8")), wheel=wheel)
    target = wheel.with_name(f"{wheel.name.removesuffix('.whl')}.cdx.json")
    target.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return missing(document, json.loads(listed.stdout))


def failed(what: str, found: list[str]) -> int:
    """Say what went wrong, and return 1."""
    print("\n  ".join([what, *found]), file=sys.stderr)
    return 1


def run(
    what: str,
    command: list[str | Path],
    *,
    folder: Path,
    says: Mapping[str, str] | None = None,
    umask: int = -1,
) -> None:
    """Run one step; whatever it prints is shown once it fails."""
    # Nothing of the checkout, nor of somebody's settings, may help.
    kept = {
        name: text
        for name, text in os.environ.items()
        if name not in ("PYTHONPATH", "SOURCE_DATE_EPOCH") and not name.startswith("TABARD_")
    }
    pins = {"PIP_CONSTRAINT": str(PINS), "PIP_BUILD_CONSTRAINT": str(PINS)}
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    begun = time.monotonic()
    ran = subprocess.run(
        command,
        cwd=folder,
        env=kept | pins | offline | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | dict(says or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        umask=umask,
    )
    print(f"{time.monotonic() - begun:7.0f} s  {what}", flush=True)
    if ran.returncode:
        print(ran.stdout, file=sys.stderr)
        sys.exit(ran.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
