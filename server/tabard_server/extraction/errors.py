# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when a tuned model becomes an adapter, told so that a caller can act on it.

ExtractionError
├── SettingInvalid         a rank, an energy or a threshold that cannot be
├── TunedModelUnreadable   no tuned model, a pickle, or half a file
├── TunedModelMismatch     of another family or other shapes than the base, or not whole
├── TunedModelNotFinite    NaN or infinity in it
├── TunedModelUnchanged    nothing in it differs from the base
├── ChangeNotCarried       it differs where an adapter cannot follow, and exactness was asked for
└── ImageErrorTooLarge     the adapter's pictures are not the tuned model's; holds the outcome
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabard_server.extraction.outcome import ExtractionOutcome


class ExtractionError(Exception):
    """An extraction is refused, with a stable reason and advice.

    Attributes:
        reason: Stable code in upper snake case.
        hint: What the caller can do next.
    """

    reason = "EXTRACTION_ERROR"

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class SettingInvalid(ExtractionError):
    """A setting of the extraction is impossible."""

    reason = "SETTING_INVALID"


class TunedModelUnreadable(ExtractionError):
    """There is no tuned model, or none that is read."""

    reason = "CHECKPOINT_UNREADABLE"


class TunedModelMismatch(ExtractionError):
    """The tuned model is not of the base's architecture, or parts of it are missing."""

    reason = "CHECKPOINT_MISMATCH"


class TunedModelNotFinite(ExtractionError):
    """The tuned model holds NaN or infinity."""

    reason = "CHECKPOINT_NOT_FINITE"


class TunedModelUnchanged(ExtractionError):
    """The tuned model is the base."""

    reason = "CHECKPOINT_UNCHANGED"


class ChangeNotCarried(ExtractionError):
    """An exact adapter was asked for, and an adapter cannot carry everything that differs."""

    reason = "CHANGE_NOT_CARRIED"


class ImageErrorTooLarge(ExtractionError):
    """The adapter's pictures differ too much from the tuned model's.

    Attributes:
        outcome: Everything that was measured.
    """

    reason = "IMAGE_ERROR_TOO_LARGE"

    def __init__(self, message: str, *, hint: str, outcome: ExtractionOutcome) -> None:
        super().__init__(message, hint=hint)
        self.outcome = outcome
