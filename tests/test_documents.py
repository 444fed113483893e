# SPDX-License-Identifier: Apache-2.0
"""The documents name what is there: a path that moved moves in them too."""

import re

import pytest

from tests.root import ROOT
from tests.tidy.tree import tree

_PATH = re.compile(r"`([a-z_0-9./]+(?:/[a-z_0-9]*|\.(?:py|proto|toml|md|json)))(?:`|\s)")
# Names of adapters, what a registry writes, an example, and what `make` makes.
_WRITTEN_LATER = re.compile(
    r"(?:ns|namespace)/name|log/|checkpoint/|build/|dist/|\.long/|tests/registry/log/test_chain\.py|tabard-demo/"
)


def missing(text: str, *, names: list[str]) -> list[str]:
    """Return the paths of a document that are the end of no file or folder of the tree."""
    folders = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, 9)}
    known = {*names, *folders}

    def is_there(path: str) -> bool:
        plain = path.strip("/")
        ends = (plain, f"{plain}.py")
        return any(one == end or one.endswith("/" + end) for one in known for end in ends)

    found = [path for path in _PATH.findall(text) if not _WRITTEN_LATER.match(path)]
    return sorted({path for path in found if not is_there(path)})


@pytest.mark.parametrize(
    "document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"]
)
def test_named_paths_are_there(document: str) -> None:
    """Every path in backticks is a file or a folder of this tree."""
    text = (ROOT / document).read_text(encoding="utf-8")

    assert not missing(text, names=[str(path) for path in tree()])


def test_moved_path_is_noticed() -> None:
    """A document that names a file of old is found out."""
    names = ["server/tabard_server/jobs/job.py"]
    text = "see `jobs/job.py`, `jobs/` and `jobs/job`, once `tabard_server/job.py`"

    assert missing(text, names=names) == ["tabard_server/job.py"]
