# SPDX-License-Identifier: Apache-2.0
"""The table of methods: part of the format of manifests and canonical files."""

from tabard_registry.export import kohya
from tabard_registry.intake.methods.low_rank import PAIR_METHODS
from tabard_registry.intake.methods.read_module import CHANGE_READERS
from tabard_registry.release.change_methods import CHANGE_METHODS, GLORA


def test_names_and_parts_are_golden() -> None:
    """They stand in digests: nothing may ever be called otherwise or be put in another order."""
    assert {name: (one.title, one.parts) for name, one in CHANGE_METHODS.items()} == {
        "dense": ("full difference", ("diff",)),
        "lora": ("LoRA", ("down", "mid", "up")),
        "hadamard": ("LoHa", ("t1", "t2", "w1_a", "w1_b", "w2_a", "w2_b")),
        "kronecker": ("LoKr", ("t2", "w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b")),
        "glora": ("GLoRA", ("a1", "a2", "b1", "b2")),
        "oft": ("OFT", ("blocks", "rescale")),
        "boft": ("BOFT", ("blocks", "rescale")),
        "ia3": ("IA3", ("weight",)),
    }
    assert [name for name, one in CHANGE_METHODS.items() if one.is_product] == [
        "lora",
        "hadamard",
        "kronecker",
    ]


def test_every_method_is_read_and_written() -> None:
    """A line of the table has a reader, and a writer but for the one that is refused by name."""
    read = {one.known_as.name for one in (*PAIR_METHODS, *CHANGE_READERS)} | {"dense"}

    assert read == set(CHANGE_METHODS)
    assert set(kohya._CHANGES) == set(CHANGE_METHODS) - {GLORA.name}
