# SPDX-License-Identifier: Apache-2.0
"""What an index shows of the distribution is complete, but for an address still to come."""

import tomllib

from tests.root import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_metadata_is_complete() -> None:
    """Who, what, for whom, under which licence."""
    needed = ("authors", "classifiers", "description", "keywords", "license", "license-files")

    assert [name for name in (*needed, "readme", "requires-python") if not PROJECT.get(name)] == []
    assert (ROOT / PROJECT["readme"]).is_file()
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])


def test_classifiers_fit_the_rest() -> None:
    """The oldest Python is named, and none that is older; a licence is said once, by its id."""
    oldest = PROJECT["requires-python"].removeprefix(">=")
    named = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if " :: 3." in one]

    assert min(named, key=lambda one: int(one.partition(".")[2])) == oldest
    assert not any(one.startswith("License ::") for one in PROJECT["classifiers"])
    assert PROJECT["classifiers"] == sorted(PROJECT["classifiers"])
    assert PROJECT["keywords"] == sorted(PROJECT["keywords"])
