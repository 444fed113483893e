# SPDX-License-Identifier: Apache-2.0
"""Scores of different encoders are never compared: a report says where an earlier one's are. Pure.

In: an earlier report, and the encoders of today. Out: remarks for people.
"""

from tabard_registry.evidence.report import Report
from tabard_server.evaluation.looks import Encoders


def remarks_on(baseline: Report | None, *, encoders: Encoders) -> tuple[str, ...]:
    """Say which figures of an earlier report are not to be laid beside today's.

    What it would replace is drawn and measured anew in every evaluation, so today's differences
    hold; only the figures of the earlier report are of another scale.
    """
    if baseline is None:
        return ()
    known = {str(one.digest) for one in baseline.encoders}
    changed = [one.name for one in encoders.distinct if f"sha256:{one.digest}" not in known]
    if not changed:
        return ()
    return (
        f"ENCODER_CHANGED: {', '.join(changed)} did not measure the report on "
        f"{baseline.release.version}: its figures are not to be compared with these; "
        f"{baseline.release.version} was measured anew beside this release",
    )
