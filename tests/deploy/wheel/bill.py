# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of a wheel, in CycloneDX: what a tool found in an environment, of Tabard.

In: the tool's document of the whole environment. Out: a document whose subject is the wheel, with
its sha256, and whose components are what it leads to; nothing of the machine it was made on.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

EVERY_ENVIRONMENT = frozenset({"pip", "setuptools"})
"""What there is without anybody asking for it; it is in a bill only if something leads to it."""

Document = dict[str, Any]


def completed(document: Document, *, wheel: Path) -> Document:
    """Return the bill of the wheel.

    Raises:
        ValueError: The environment has no Tabard, or two.
    """
    [subject] = [one for one in document["components"] if one["name"] == "tabard"]
    depends = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    reached = set(_reached(subject["bom-ref"], depends))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    about = {name: said for name, said in subject.items() if name != "externalReferences"}
    about |= {
        "type": "application",
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "purl": f"pkg:pypi/tabard@{subject['version']}",
    }
    return document | {
        "metadata": document["metadata"] | {"component": about},
        "components": [
            _anywhere(one)
            for one in document["components"]
            if one["bom-ref"] in reached and one is not subject
        ],
        "dependencies": [one for one in document["dependencies"] if one["ref"] in reached],
    }


def missing(document: Document, installed: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what is wrong with a bill, compared with what is installed.

    Args:
        document: The bill.
        installed: As `pip list --format=json` tells it.
    """
    about = document["metadata"]["component"]
    told = {_name(one["name"]): one["version"] for one in [about, *document["components"]]}
    there = {_name(one["name"]): one["version"] for one in installed}
    left_out = there.keys() - told.keys() - EVERY_ENVIRONMENT
    found = [f"{name} {there[name]} is not in it" for name in sorted(left_out)]
    found += [f"{name} is not installed" for name in sorted(told.keys() - there.keys())]
    found += [
        f"{name} {there[name]} is told as {told[name]}"
        for name in sorted(there.keys() & told.keys())
        if there[name] != told[name]
    ]
    found += [f"{one['name']} has no purl" for one in document["components"] if not one.get("purl")]
    if "file:" in str(document):
        found.append("it names a path of this machine")
    return found


def _reached(ref: str, depends: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Give a component and whatever it leads to."""
    seen, open_ = {ref}, [ref]
    while open_:
        yield (here := open_.pop())
        new = [one for one in depends.get(here, ()) if one not in seen]
        seen.update(new)
        open_ += new


def _anywhere(component: Document) -> Document:
    """Return a component without where this machine had it from."""
    references = component.get("externalReferences", [])
    kept = [one for one in references if not one["url"].startswith("file:")]
    return component | {"externalReferences": kept}


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
