# SPDX-License-Identifier: Apache-2.0
"""The pages of the site as the repository has them: documents, and whatever they link to.

In: the files that git knows. Out: a folder with the same paths, so that a link that holds in the
repository holds on the site. A link to a folder leads to a list of what lies in it. No mkdocs here.
"""

import posixpath
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

LISTED_BYTES_MAX = 500_000
"""Larger files of a folder are named in its list and not copied; nor are pages of HTML."""

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?(?=\))")


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of the repository and the folders they are in, by their paths from its root."""

    files: frozenset[str]
    folders: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Tree":
        """Return the tree of these files."""
        files = frozenset(names)
        return cls(files, frozenset(str(one) for name in files for one in PurePath(name).parents))


def tracked(root: Path) -> Tree:
    """Return what git tracks, and what it would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return Tree.of(name for name in told.split("\0") if name and (root / name).is_file())


def gather(root: Path, pages: Path) -> None:
    """Copy every document and what it links to into an empty folder.

    A link that leads nowhere stays as it is: mkdocs names it, and with `--strict` fails.
    """
    tree = tracked(root)
    for name in sorted(one for one in tree.files if one.endswith(".md")):
        text = (root / name).read_text(encoding="utf-8")
        _write(pages / name, with_listed_folders(text, at=name, tree=tree))
        for target in targets(text, at=name):
            if target in tree.files and not target.endswith(".md"):
                _copy(root / target, pages / target)
            elif target in tree.folders and f"{target}/README.md" not in tree.files:
                _list(target, tree, root=root, pages=pages)


def targets(text: str, *, at: str) -> Iterator[str]:
    """Give what a document links to within the repository, by its path from the root."""
    for part in _FENCE.split(text)[::2]:
        for found in _LINK.finditer(part):
            yield _from_root(found["path"], at=at)


def with_listed_folders(text: str, *, at: str, tree: Tree) -> str:
    """Return a document whose links to folders lead to the page that lists them."""

    def led(found: re.Match[str]) -> str:
        folder = _from_root(found["path"], at=at)
        if folder not in tree.folders:
            return found.group()
        page = "README.md" if f"{folder}/README.md" in tree.files else "index.md"
        return posixpath.join(found["path"], page)

    parts = _FENCE.split(text)
    return "".join(one if turn % 2 else _LINK.sub(led, one) for turn, one in enumerate(parts))


def title(text: str) -> str:
    """Return the first heading of a document."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _list(folder: str, tree: Tree, *, root: Path, pages: Path) -> None:
    """Write the page of a folder: its documents by title, and its other files as they are."""
    lines = [f"# {folder}/", ""]
    for name in sorted(one for one in tree.files if one.startswith(f"{folder}/")):
        shown = name.removeprefix(f"{folder}/")
        if name.endswith(".md"):
            lines.append(f"- [{title((root / name).read_text(encoding='utf-8'))}]({shown})")
        elif not name.endswith(".html") and (root / name).stat().st_size <= LISTED_BYTES_MAX:
            _copy(root / name, pages / name)
            lines.append(f"- [{shown}]({shown})")
        else:
            lines.append(f"- {shown}")
    _write(pages / folder / "index.md", "\n".join(lines) + "\n")


def _from_root(link: str, *, at: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(at), link))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
