# SPDX-License-Identifier: Apache-2.0
"""`make site`: the documents as a site, from the repository and the reference of its APIs.

In: the repository, and descriptors of the gRPC API with their comments. Out: HTML in a folder.
Nothing is fetched. A link that leads nowhere and a document without a place fail the build.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import griffe
import yaml
from deploy.site import proto_pages, python_pages, sources
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from mkdocs.__main__ import cli

ROOT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("mkdocs.yml")
PACKAGES = {"tabard": "clients/python", "tabard_registry": "registry"}


def main(arguments: list[str]) -> None:
    """Write the pages, then the site; mkdocs ends the process, with 1 if anything is amiss."""
    parser = argparse.ArgumentParser(prog="make site", description=__doc__)
    parser.add_argument("--api", type=Path, required=True, help="descriptors that protoc made")
    parser.add_argument("--out", type=Path, required=True, help="a folder that is made anew")
    said = parser.parse_args(arguments)
    out = said.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    pages = out / "pages"
    pages.mkdir(parents=True)
    sources.gather(ROOT, pages)
    described = FileDescriptorSet.FromString(said.api.read_bytes())
    made = {"grpc": _written(proto_pages.pages(described), pages, "docs/api/grpc")}
    for package in PACKAGES:
        found = python_pages.pages(package, _exported(package))
        made[package] = _written(found, pages, f"docs/api/{package}")
    settings = out / "mkdocs.yml"
    settings.write_text(yaml.safe_dump(_settings(made, out=out)), encoding="utf-8")
    cli(["build", "--strict", "--quiet", "--config-file", str(settings)])


def _written(
    found: list[proto_pages.Page] | list[python_pages.Page], pages: Path, folder: str
) -> list[dict[str, str]]:
    """Write pages, and return what the navigation says of them."""
    (pages / folder).mkdir(parents=True)
    for page in found:
        (pages / folder / f"{page.name}.md").write_text(page.text, encoding="utf-8")
    return [{page.title: f"{folder}/{page.name}.md"} for page in found]


def _exported(package: str) -> dict[str, str]:
    """Return the public names of a package, and the path of what each stands for."""
    module = griffe.load(package, search_paths=[ROOT / PACKAGES[package]], resolve_aliases=True)
    names = [str(name) for name in module.exports or () if not str(name).startswith("__")]
    return {
        name: one.target_path if (one := module.members[name]).is_alias else one.path
        for name in names
    }


def _settings(made: dict[str, list[dict[str, str]]], *, out: Path) -> dict[str, Any]:
    """Return mkdocs' settings, with folders and the pages that were written in the navigation."""
    settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    settings |= {"docs_dir": str(out / "pages"), "site_dir": str(out / "html")}
    settings["theme"]["custom_dir"] = str(SETTINGS.with_name("overrides"))
    python = settings["plugins"]["mkdocstrings"]["handlers"]["python"]
    python["paths"] = [str(ROOT / folder) for folder in PACKAGES.values()]
    python["options"]["extensions"] = [str(SETTINGS.with_name("verbs.py"))]

    def filled(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {name: filled(below) for name, below in entry.items()}
        if isinstance(entry, list):
            return [filled(one) for one in entry]
        return made[entry.removeprefix("made:")] if entry.startswith("made:") else entry

    settings["nav"] = filled(settings["nav"])
    return settings


if __name__ == "__main__":
    main(sys.argv[1:])
