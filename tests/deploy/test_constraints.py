# SPDX-License-Identifier: Apache-2.0
"""constraints.txt pins whatever pyproject.toml asks for, and pins torch for every index."""

import re
import tomllib

from tests.root import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins() -> dict[str, str]:
    """Return version by normalised name; a line that is no exact pin fails here."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normalised(name): version for name, version in pairs}


def normalised(name: str) -> str:
    """Return a distribution's name the way indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked() -> set[str]:
    """Return every distribution that the project or one of its extras names."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    lists = [PROJECT["project"]["dependencies"], PROJECT["build-system"]["requires"], *extras]
    names = {re.split(r"[\[><=!~; ]", line)[0] for group in lists for line in group}
    return {normalised(name) for name in names} - {"tabard"}


def test_everything_asked_is_pinned() -> None:
    """A fresh environment next year is the one that was tested."""
    assert asked() - set(pins()) == set()


def test_torch_fits_every_index() -> None:
    """No build tag: a CPU index serves its CPU build, the public index the CUDA build."""
    assert pins()["torch"] == "2.13.0"
    assert not any("+" in version for version in pins().values())


def test_cuda_wheels_are_left_out() -> None:
    """Torch pins its own CUDA wheels; a line here could only contradict it.

    But for Triton, which the CPU build lacks: its interpreter runs our kernels in tests.
    """
    assert not any(name.startswith("nvidia") for name in pins())
    assert pins()["triton"] == "3.7.1"
