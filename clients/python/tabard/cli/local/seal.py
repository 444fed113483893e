# SPDX-License-Identifier: Apache-2.0
"""Whether pickles can be read on this machine: they are refused where no process can be sealed."""

from __future__ import annotations

from typing import Any

from tabard.cli.local.registry import library


def pickle_check() -> Any:
    """Seal a process that reads nothing; give what came of it as one check of a diagnosis.

    Raises:
        FailedPrecondition: The extra `registry` is not installed.
    """
    check = library("upkeep.doctor", needed_for="tabard doctor").Check
    refused = library("intake.files.pickles", needed_for="tabard doctor").PickleRefused
    from tabard_server.pickles.reader import examine_seal  # noqa: PLC0415 - only where it is asked

    try:
        layers = examine_seal()
    except refused as error:
        return check(name="pickles", verdict="warn", detail=error.detail, remedy=error.remedy)
    return check(name="pickles", verdict="ok", detail=f"read in a sealed process: {layers}")
