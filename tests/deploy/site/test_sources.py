# SPDX-License-Identifier: Apache-2.0
"""A link that holds in the repository holds among the gathered pages."""

import subprocess
from pathlib import Path

import pytest
from deploy.site.sources import Tree, gather, targets, title, with_listed_folders

TREE = Tree.of(["README.md", "docs/a.md", "docs/decisions/0001-b.md", "deploy/README.md"])


def test_link_is_followed_from_its_document() -> None:
    """Paths are those from the root; anchors, other sites and code are no paths."""
    text = "[a](../deploy/x.yaml#top) [b](#here) [c](https://example.org)\n```\n[d](e.md)\n```\n"

    assert list(targets(text, at="docs/a.md")) == ["deploy/x.yaml"]


@pytest.mark.parametrize(
    ("text", "led"),
    [
        ("[all](docs/decisions/)", "[all](docs/decisions/index.md)"),
        ("[all](deploy/)", "[all](deploy/README.md)"),
        ("[one](docs/a.md#x)", "[one](docs/a.md#x)"),
        ("```\n[all](deploy/)\n```\n", "```\n[all](deploy/)\n```\n"),
    ],
)
def test_folder_is_led_to_its_page(text: str, led: str) -> None:
    """A folder with a README is that; another one is a list."""
    assert with_listed_folders(text, at="README.md", tree=TREE) == led


def test_title_is_first_heading() -> None:
    """Whatever stands before it."""
    assert title("<!-- x -->\n# Sizing\n## More\n") == "Sizing"


def test_linked_files_come_along(tmp_path: Path) -> None:
    """Documents, what they link to, and lists of folders; nothing else, and nothing ignored."""
    root, pages = tmp_path / "root", tmp_path / "pages"
    files = {
        "README.md": "# T\n[x](docs/a.md) [y](deploy/) [z](LICENSE)\n",
        "docs/a.md": "# A\n![p](p.png)\n",
        "docs/p.png": "png",
        "docs/other.png": "png",
        "deploy/rules.yml": "groups: []\n",
        "deploy/large.bin": "0" * 600_000,
        "deploy/page.html": "<p>not a page of the site</p>",
        "deploy/how.md": "# How\n",
        "LICENSE": "free",
        ".gitignore": "hidden.md\n",
        "hidden.md": "# Hidden\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)

    gather(root, pages)

    found = {str(path.relative_to(pages)) for path in pages.rglob("*") if path.is_file()}
    assert found == {
        *("README.md", "LICENSE", "docs/a.md", "docs/p.png"),
        *("deploy/index.md", "deploy/how.md", "deploy/rules.yml"),
    }
    listed = (pages / "deploy/index.md").read_text(encoding="utf-8")
    assert listed.splitlines() == [
        *("# deploy/", "", "- [How](how.md)", "- large.bin", "- page.html"),
        "- [rules.yml](rules.yml)",
    ]
