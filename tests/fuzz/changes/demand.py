# SPDX-License-Identifier: Apache-2.0
"""What a change does to the meaning of a file, as far as the one who makes it can know."""

from __future__ import annotations

from enum import Enum

from tests.fuzz.document import Document


class Demand(Enum):
    """Whether the changed file must be taken, must be refused, or is what the reference says."""

    KEEPS = "keeps"
    BREAKS = "breaks"
    EITHER = "either"


Bent = tuple[Document, Demand]
