# SPDX-License-Identifier: Apache-2.0
"""How much the intake takes: every bound on files from outside, by name."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tabard_registry.errors import InvalidField


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLimits:
    """Bounds on the files of one release; all are inclusive.

    Attributes:
        files_max: Files of one release.
        file_bytes_max: Size of one file.
        header_bytes_max: Size of a safetensors header; the default is that of the format itself.
        tensors_max: Tensors of one file.
        rank_max: Rank of a layer that slots take; what is above is worn in a merged copy only.
        merged_rank_max: Trained rank of a layer that is worn in a merged copy only.
        scale_abs_max: alpha / rank of a layer, either sign.
        token_vectors_max: Vectors of one placeholder token.
        token_chars_max: Characters of a placeholder token or trigger word.
        pickle_bytes_max: Size of one pickled file.
        training_keys_max: Fields of the trainer's metadata that are kept.
        training_value_chars_max: Characters of such a field that are kept.
    """

    files_max: int = 8
    file_bytes_max: int = 2 << 30
    header_bytes_max: int = 100_000_000
    tensors_max: int = 20_000
    rank_max: int = 512
    merged_rank_max: int = 4096
    scale_abs_max: float = 1024.0
    token_vectors_max: int = 64
    token_chars_max: int = 64
    pickle_bytes_max: int = 256 << 20
    training_keys_max: int = 256
    training_value_chars_max: int = 4_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InvalidField(
                    f"the limit {field.name} must be above 0",
                    reason="FIELD_INVALID",
                    hint="Leave it out for the default.",
                )
