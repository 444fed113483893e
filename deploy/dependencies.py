#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print what Tabard needs with some extras, one requirement a line, as pyproject.toml says.

For images: they install these in a layer of their own, which a change of source leaves alone.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

_OWN = re.compile(r"tabard\[(?P<extra>[\w-]+)\]")


def requirements(project: Path, *, extras: Sequence[str]) -> list[str]:
    """Return the requirements of the project and of some extras, with those that they include."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    known = table["optional-dependencies"]
    return [*table["dependencies"], *(one for extra in extras for one in _of_extra(known, extra))]


def _of_extra(extras: dict[str, list[str]], extra: str) -> Iterator[str]:
    for line in extras[extra]:
        own = _OWN.fullmatch(line)
        if own is None:
            yield line
        else:
            yield from _of_extra(extras, own["extra"])


if __name__ == "__main__":
    print("\n".join(requirements(Path("pyproject.toml"), extras=sys.argv[1:])))
