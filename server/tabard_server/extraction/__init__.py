# SPDX-License-Identifier: Apache-2.0
"""The room where whole fine-tuned checkpoints become adapters against their base.

In: a checkpoint (folder, file, hub id), the base it was trained from, and how exact it shall be.
Out: one safetensors file in kohya's and LyCORIS' key layout, and a report of what it keeps. It
must not know the registry's log, servers or jobs: publishing the file is another act.
"""

from tabard_server.extraction.errors import (
    ChangeNotCarried,
    CheckpointMismatch,
    CheckpointNotFinite,
    CheckpointUnchanged,
    CheckpointUnreadable,
    ExtractionError,
    ImageErrorTooLarge,
    SettingInvalid,
)
from tabard_server.extraction.extraction import extract
from tabard_server.extraction.outcome import (
    BlockReport,
    ExtractionReport,
    LayerReport,
    LeftOut,
    PictureError,
)
from tabard_server.extraction.settings import ExtractionSettings, ProbeSettings, RankRule

__all__ = [
    "BlockReport",
    "ChangeNotCarried",
    "CheckpointMismatch",
    "CheckpointNotFinite",
    "CheckpointUnchanged",
    "CheckpointUnreadable",
    "ExtractionError",
    "ExtractionReport",
    "ExtractionSettings",
    "ImageErrorTooLarge",
    "LayerReport",
    "LeftOut",
    "PictureError",
    "ProbeSettings",
    "RankRule",
    "SettingInvalid",
    "extract",
]
