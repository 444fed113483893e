# SPDX-License-Identifier: Apache-2.0
"""Prints the modules that have no tests of their name, with their lines: `python -m tests.tidy`."""

from tests.root import ROOT
from tests.tidy.mirror import modules_without_tests
from tests.tidy.tree import tree


def main() -> None:
    """Print one line a module, and how many there are."""
    missing = list(modules_without_tests(tree()))
    for path in missing:
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        print(f"{lines:>5}  {path}")
    print(f"{len(missing)} modules without tests of their name")


if __name__ == "__main__":
    main()
