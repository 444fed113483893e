# SPDX-License-Identifier: Apache-2.0
"""Many processes that publish at once into one bucket."""

from collections import Counter
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.upkeep.fsck.fsck import check_registry
from tests.faults.processes import acknowledged_by, check_loads, start_writer
from tests.registry.fakes import NAME

pytestmark = pytest.mark.faults

PROCESSES = 8
PUBLISHES = 50


def test_processes_race_on_one_bucket(real_store: None, s3_url: str, tmp_path: Path) -> None:
    """Eight processes publish fifty releases each: 400 releases, one chain, nothing wrong."""
    writers = [
        start_writer(s3_url, tmp_path, number, count=PUBLISHES) for number in range(PROCESSES)
    ]

    outputs = [writer.communicate()[0] for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    acknowledged = [line for output in outputs for line in acknowledged_by(output)]
    registry = Registry.open(s3_url, create=False)
    records = registry.since(0)
    published = Counter(action.version for a in records for action in a.record.actions)
    assert published == Counter(line.version for line in acknowledged)
    assert len(published) == PROCESSES * PUBLISHES
    assert len(registry.state.adapters[NAME].by_version) == PROCESSES * PUBLISHES
    for line in acknowledged[:: PUBLISHES // 5]:
        check_loads(registry, line.digest)
    report = check_registry(registry, deep=True)
    assert report.is_sound, report.findings
