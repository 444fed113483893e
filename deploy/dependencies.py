#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print what Tabard needs with an extra, one requirement a line, as pyproject.toml says.

For images: they install these in a layer of their own, which a change of source leaves alone.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

_OWN = re.compile(r"tabard\[(?P<extra>[\w-]+)\]")


def requirements(project: Path, *, extra: str) -> list[str]:
    """Return the requirements of the project and of one extra, with those that it includes."""
    table = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    return [*table["dependencies"], *_of_extra(table["optional-dependencies"], extra)]


def _of_extra(extras: dict[str, list[str]], extra: str) -> Iterator[str]:
    for line in extras[extra]:
        own = _OWN.fullmatch(line)
        if own is None:
            yield line
        else:
            yield from _of_extra(extras, own["extra"])


if __name__ == "__main__":
    print("\n".join(requirements(Path("pyproject.toml"), extra=sys.argv[1])))
