# SPDX-License-Identifier: Apache-2.0
from tabard_registry.upkeep.fsck.findings import FINDINGS_MAX, Findings


def test_findings_are_bounded() -> None:
    """A report names so many of each severity, errors first, and counts the rest."""
    findings = Findings()
    for number in range(FINDINGS_MAX + 5):
        findings.warning(f"{number}", "odd", remedy="look")
    findings.error("x", "lost", remedy="restore")

    assert (len(findings.sorted()), findings.omitted, findings.errors) == (FINDINGS_MAX + 1, 5, 1)
    assert findings.sorted()[0].key == "x"
