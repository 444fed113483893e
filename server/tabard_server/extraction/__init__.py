# SPDX-License-Identifier: Apache-2.0
"""The room where whole fine-tuned models become adapters against their base.

In: a tuned model (folder, file, hub id), the base it was trained from, and how exact it shall be.
Out: one safetensors file in kohya's and LyCORIS' key layout, and an outcome that says what it
keeps. It must not know the registry's log, servers or jobs: publishing the file is another act.
"""

from tabard_server.extraction.errors import (
    ChangeNotCarried,
    ExtractionError,
    ImageErrorTooLarge,
    SettingInvalid,
    TunedModelMismatch,
    TunedModelNotFinite,
    TunedModelUnchanged,
    TunedModelUnreadable,
)
from tabard_server.extraction.extraction import extract
from tabard_server.extraction.outcome import (
    BlockOutcome,
    ExtractionOutcome,
    LayerOutcome,
    LeftOut,
    PictureError,
)
from tabard_server.extraction.settings import ComparisonSettings, ExtractionSettings, RankRule

__all__ = [
    "BlockOutcome",
    "ChangeNotCarried",
    "ComparisonSettings",
    "ExtractionError",
    "ExtractionOutcome",
    "ExtractionSettings",
    "ImageErrorTooLarge",
    "LayerOutcome",
    "LeftOut",
    "PictureError",
    "RankRule",
    "SettingInvalid",
    "TunedModelMismatch",
    "TunedModelNotFinite",
    "TunedModelUnchanged",
    "TunedModelUnreadable",
    "extract",
]
