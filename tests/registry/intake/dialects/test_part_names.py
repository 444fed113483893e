# SPDX-License-Identifier: Apache-2.0
from tabard_registry.intake.dialects.part_names import (
    FACTOR_PARTS,
    LETTERED_PARTS,
    ONETRAINER_OFT_PARTS,
    PAIR_PARTS,
)
from tabard_registry.intake.methods import low_rank, read_module
from tabard_registry.intake.methods.dense import BIAS_PARTS, WEIGHT_PARTS

BESIDE = {"alpha", "dora_scale"}


def test_every_part_has_a_reader() -> None:
    """No table names a part that nobody reads."""
    read = {part for reader in read_module.CHANGE_READERS for part in reader.parts}
    known = read | low_rank.PAIR_PARTS | BIAS_PARTS | WEIGHT_PARTS | BESIDE

    for table in (PAIR_PARTS, FACTOR_PARTS, LETTERED_PARTS, ONETRAINER_OFT_PARTS):
        assert set(table.values()) <= known


def test_parts_of_all_pairs_are_named() -> None:
    """Everything that makes a pair can be written behind dotted and underscored names alike."""
    assert set(FACTOR_PARTS.values()) >= low_rank.PAIR_PARTS | BESIDE
