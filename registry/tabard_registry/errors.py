# SPDX-License-Identifier: Apache-2.0
"""The exceptions of the registry. Each carries a stable reason and says what to do next.

RegistryError
├── InvalidName          a name, version, digest, channel or ref cannot be read
├── InvalidField         another field of a request is missing, too long or unknown
├── Forbidden            the author has not the role that the act needs
├── NotFound             no such adapter, release, channel, key, token or document
├── AlreadyExists        a version, a token's name or a request id stands for something else
├── PreconditionFailed   the registry is not in the state that the act needs
├── IntakeRefused        the files cannot be published; holds the report
├── StoreUnavailable     the store did not answer, or its answer stayed unknown
├── CorruptRegistry      stored bytes are not what the log says they are
└── UnusableRegistry     the place is not a registry that this version can use
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tabard_registry.report import Report


RESTORE_BLOB = "`tabard restore BACKUP URL` brings it back from a backup; its digest is its name."
"""What helps where bytes of a release are missing or damaged."""


class RegistryError(Exception):
    """Base of all errors of the registry.

    Attributes:
        reason: Stable UPPER_SNAKE code, one of the class's `reasons`.
        hint: What to do next, in one sentence; may be empty.
    """

    reasons: ClassVar[tuple[str, ...]] = ()

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        assert not self.reasons or reason in self.reasons, reason
        super().__init__(message)
        self.reason = reason
        self.hint = hint


class InvalidName(RegistryError):
    """A name, version, digest, channel or ref cannot be read."""

    reasons = (
        "INVALID_NAME",
        "INVALID_CHANNEL",
        "INVALID_VERSION",
        "INVALID_DIGEST",
        "INVALID_REF",
        "INVALID_WEIGHT",
        "WEIGHT_AMBIGUOUS",
    )


class InvalidField(RegistryError):
    """A field of a request is missing, too long or has an unknown value."""

    reasons = (
        "FIELD_REQUIRED",
        "SAMPLING_INVALID",
        "FIELD_TOO_LONG",
        "FIELD_INVALID",
        "EXACT_REF_REQUIRED",
        "GRID_EMPTY",
        "GRID_TOO_LARGE",
        "TRIGGER_MISSING",
        "REFERENCES_TOO_FEW",
    )


class Forbidden(RegistryError):
    """The author has not the role that the act needs; the message names both."""

    reasons = ("ROLE_MISSING",)


class NotFound(RegistryError):
    """No such adapter, release, channel, key or token; the hint lists near names."""

    reasons = (
        "ADAPTER_NOT_FOUND",
        "RELEASE_NOT_FOUND",
        "CHANNEL_NOT_FOUND",
        "BLOB_NOT_FOUND",
        "KEY_NOT_FOUND",
        "TOKEN_NOT_FOUND",
        "EVIDENCE_NOT_FOUND",
        "GRID_NOT_FOUND",
        "CANARY_NOT_FOUND",
        "PAIR_NOT_FOUND",
    )


class AlreadyExists(RegistryError):
    """The version, the token's name or the request id stands for something else."""

    reasons = ("VERSION_EXISTS", "REQUEST_ID_REUSED", "TOKEN_EXISTS", "TOKENS_EXIST")


class PreconditionFailed(RegistryError):
    """The registry is not in the state that the act needs."""

    reasons = (
        "EXPECT_MISMATCH",
        "NOTHING_TO_ROLL_BACK",
        "NEVER_ON_CHANNEL",
        "RELEASE_YANKED",
        "RELEASE_QUARANTINED",
        "RELEASE_PURGED",
        "BYTES_PURGED",
        "BYTES_SHARED",
        "BYTES_COLLECTED",
        "MEMBER_NOT_SERVABLE",
        "SIGNATURE_REQUIRED",
        "SIGNATURE_INVALID",
        "FORMAT_CANNOT_HOLD",
        "IDENTITY_REQUIRED",
        "TOKENS_TOO_MANY",
        "GATE_NOT_MET",
        "CANARY_SPENT",
        "CANARY_OPEN",
        "CANARY_WITHOUT_BASELINE",
        "CANARY_ENDED",
        "POLICY_UNSATISFIABLE",
        "REVIEW_BY_AUTHOR",
        "REVIEW_OUTDATED",
        "EDIT_OF_MEASUREMENT",
        "EDIT_OUTDATED",
        "VOTE_UNBLINDED",
    )


class IntakeRefused(RegistryError):
    """The files cannot be published. `reason` and `hint` are those of the first problem.

    Attributes:
        report: The complete report.
    """

    def __init__(self, report: Report) -> None:
        first = next((p for p in report.problems if not p.is_warning), None)
        super().__init__(
            first.message if first else "the files were refused",
            reason=first.reason if first else "REFUSED",
            hint=first.remedy if first else "Run `tabard check` on the file.",
        )
        self.report = report


class StoreUnavailable(RegistryError):
    """The store did not answer, or whether it did what was asked stayed unknown.

    Attributes:
        is_passing: The same may go well a moment later: nothing was refused.
    """

    reasons = ("STORE_UNAVAILABLE", "COMMIT_UNKNOWN", "CONTENTION", "REGISTRY_MISSING")

    def __init__(
        self, message: str, *, reason: str, hint: str = "", is_passing: bool = False
    ) -> None:
        super().__init__(message, reason=reason, hint=hint)
        self.is_passing = is_passing


class CorruptRegistry(RegistryError):
    """Stored bytes are not what the log says they are; names the object and the remedy."""

    reasons = (
        "CORRUPT_RECORD",
        "BROKEN_CHAIN",
        "CORRUPT_BLOB",
        "CORRUPT_FORMAT",
        "CORRUPT_CHECKPOINT",
    )


class UnusableRegistry(RegistryError):
    """The place is not a registry that this version of Tabard can use."""

    reasons = (
        "NOT_A_REGISTRY",
        "PLACE_OCCUPIED",
        "NEWER_PROTOCOL",
        "UNSUPPORTED_STORE",
        "UNSAFE_STORE",
    )


def check_text(what: str, text: str, *, chars_max: int, lines: bool = False) -> None:
    """Refuse words of a caller that are too long, or hold characters that steer a terminal.

    For what comes in at a door; what stands in a log already is read as it is.

    Args:
        what: What they are, for the error.
        text: The words.
        chars_max: How many characters they may have.
        lines: Line breaks and tabs are taken.

    Raises:
        InvalidField: They are.
    """
    check_length(what, text, chars_max=chars_max)
    if text.isprintable():
        return
    taken = "\n\r\t" if lines else ""
    found = [one for one in text if unicodedata.category(one) == "Cc" and one not in taken]
    if found:
        raise InvalidField(
            f"{what} has a control character, {ascii(found[0])[1:-1]}",
            reason="FIELD_INVALID",
            hint="Leave control characters out"
            + ("; line breaks and tabs are taken." if lines else ", line breaks and tabs too."),
        )


def check_length(what: str, text: str, *, chars_max: int) -> None:
    """Refuse a field that is too long.

    Raises:
        InvalidField: It is.
    """
    if len(text) > chars_max:
        raise InvalidField(
            f"{what} has {len(text)} characters",
            reason="FIELD_TOO_LONG",
            hint=f"At most {chars_max} characters.",
        )


def restore_object(key: str) -> str:
    """Say what helps where an object that is never changed was changed: a record, format.json."""
    return f"Move {key} away; `tabard restore BACKUP URL` then brings it back from a backup."
