# SPDX-License-Identifier: Apache-2.0
"""Scores of different encoders are never compared: what was measured by another says so. Pure.

In: what an earlier document was measured by, and the encoders of today. Out: vectors that may be
compared, a remark for people, or a refusal (ENCODER_CHANGED).
"""

from collections.abc import Callable, Mapping

import numpy as np

from tabard_registry.evidence.documents import References
from tabard_registry.evidence.report import Report
from tabard_registry.refs.digest import Digest
from tabard_server.errors import NotEvaluable
from tabard_server.evaluation.looks import Encoders, Vectors

_NEEDED = ("style", "subject")
_BLACK = np.zeros((64, 64, 3), dtype=np.uint8)


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


def embedded_references(
    references: References, *, encoders: Encoders, blob: Callable[[Digest], bytes]
) -> Mapping[str, Vectors]:
    """Read the embeddings that were kept instead of pictures, by what each encoder looks at.

    Args:
        references: What was published; of its pictures nothing is read.
        encoders: Those of today.
        blob: Returns the bytes of an embedding.

    Raises:
        NotEvaluable: They are of other encoders (ENCODER_CHANGED).
    """
    kept = {str(one.encoder): one.blob for one in references.embeddings}
    found: dict[str, Vectors] = {}
    for name, encoder in encoders.all.items():
        digest = kept.get(f"sha256:{encoder.digest}")
        if digest is None and name in _NEEDED:
            raise _changed(references, encoder.name)
        if digest is not None:
            width = encoder.embed([_BLACK]).shape[1]
            values = np.frombuffer(blob(digest), dtype="<f4")
            if len(values) % width or not np.isfinite(values).all():
                raise _changed(references, encoder.name)
            found[name] = values.reshape(-1, width)
    return found


def _changed(references: References, name: str) -> NotEvaluable:
    return NotEvaluable(
        f"the {references.kind} of {references.release.version} are embeddings of other encoders "
        f"than {name}, and scores of different encoders are not compared",
        reason="ENCODER_CHANGED",
        hint="publish the pictures, or their embeddings by this encoder; or evaluate on a server "
        "with the encoder that made them",
    )
