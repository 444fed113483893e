# SPDX-License-Identifier: Apache-2.0
"""Pictures that somebody sends with an evaluation: read, bounded, and enough of them.

In: files. Out: pixels. A file that cannot be read is refused by its place.
"""

from collections.abc import Sequence

import numpy as np

from tabard_registry.evidence.documents import REFERENCES_MIN
from tabard_server.admission.picture_files import open_picture
from tabard_server.engine_port.drawing import Pixels
from tabard_server.errors import invalid
from tabard_server.limits import Limits

SIDE_MAX = 512
"""Longer sides are made shorter: no encoder looks more closely."""


def read_pictures(files: Sequence[bytes], *, field: str, limits: Limits) -> list[Pixels]:
    """Return the pictures of some files; none of no files.

    Raises:
        InvalidRequest: One cannot be read, or there are fewer than four different ones.
    """
    named = dict.fromkeys(files)
    _refuse_too_few(len(named), field=field)
    read = (
        _read(file, field=f"{field}[{place}]", limits=limits) for place, file in enumerate(named)
    )
    # The same picture may be saved again, or say other words of itself.
    found = list({(one.shape, one.tobytes()): one for one in read}.values())
    _refuse_too_few(len(found), field=field)
    return found


def _refuse_too_few(count: int, *, field: str) -> None:
    if 0 < count < REFERENCES_MIN:
        raise invalid(
            field,
            f"{count} different pictures in {field}, at least {REFERENCES_MIN}",
            reason="REFERENCES_TOO_FEW",
            hint=f"send {REFERENCES_MIN} or more: with fewer nothing is known of how they vary",
        )


def _read(file: bytes, *, field: str, limits: Limits) -> Pixels:
    image = open_picture(file, field=field, limits=limits).convert("RGB")
    image.thumbnail((SIDE_MAX, SIDE_MAX))
    return np.asarray(image)
