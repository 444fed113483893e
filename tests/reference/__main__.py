# SPDX-License-Identifier: Apache-2.0
"""`make reference`: writes the pages of docs/ that say what the code says."""

import sys

from tests.reference import chart_page, metrics_page, settings_page, sizing_page
from tests.root import ROOT


def main() -> int:
    """Write every page; return 0."""
    for page in (settings_page, metrics_page, sizing_page, chart_page):
        path = ROOT / "docs" / page.NAME
        path.write_text(page.written(), encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
