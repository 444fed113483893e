# SPDX-License-Identifier: Apache-2.0
"""The reference of the Python packages: which pages there are, and which public names each shows.

In: what a package exports, and where each name is defined. Out: Markdown with the
directives that mkdocstrings fills in. A name that is exported is on exactly one page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

TITLES: Mapping[str, Mapping[str, str]] = {
    "tabard": {
        "client": "Client",
        "aio": "AsyncClient",
        "calls": "Options of a request",
        "result": "Results and events",
        "pictures": "Pictures",
        "releases": "Releases",
        "history": "History",
        "health": "Evaluation, evidence, canaries",
        "jobs": "Jobs",
        "replay": "Replay",
        "operations": "Operations",
        "access": "Identity and policies",
        "enums": "Enums",
        "errors": "Errors",
    },
    "tabard_registry": {
        "registry": "Registry",
        "acts": "Authors",
        "content": "Canonical form",
        "identity": "Identity",
        "index": "Index",
        "intake": "Intake",
        "log": "Log",
        "refs": "Names and digests",
        "release": "Releases",
        "state": "State",
        "report": "Reports",
        "errors": "Errors",
    },
}
"""By package: the first part of a module's path below it, and what its page is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: its file's name, its title, and its Markdown."""

    name: str
    title: str
    text: str


def pages(package: str, exported: Mapping[str, str]) -> list[Page]:
    """Return the pages of a package.

    Args:
        package: Its import name.
        exported: Public name to the path of what it stands for, `package.module.Name`.

    Raises:
        KeyError: A public name is defined in a module that has no page in `TITLES`.
    """
    by_part: dict[str, list[str]] = {part: [] for part in TITLES[package]}
    for name, path in sorted(exported.items()):
        by_part[path.removeprefix(f"{package}.").partition(".")[0]].append(name)
    return [
        Page(
            name=re.sub(r"\W+", "-", title.lower()),
            title=title,
            text=_text(title, package, by_part[part]),
        )
        for part, title in TITLES[package].items()
        if by_part[part]
    ]


def _text(title: str, package: str, names: list[str]) -> str:
    directives = "".join(f"::: {package}.{name}\n\n" for name in names)
    return f"# {title}\n\nPublic names of `{package}`.\n\n{directives}".rstrip() + "\n"
