# SPDX-License-Identifier: Apache-2.0
"""What trainers call the tensors of one module, behind its name: the tables that dialects share."""

from __future__ import annotations

from tabard_registry.intake.methods.loha import Loha
from tabard_registry.intake.methods.lokr import Lokr
from tabard_registry.intake.methods.oft import ROTATION, SCALED

PAIR_PARTS = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "lora_up.bias": "up_bias",
    "lora_mid.weight": "mid",
    "alpha": "alpha",
    "dora_scale": "dora_scale",
}
"""LoRA, LoCon and DoRA, as kohya and LyCORIS write them."""
FACTOR_PARTS = {
    **PAIR_PARTS,
    **{part: part for part in (*Loha.parts, *Lokr.parts)},
    **{part: part for part in ("diff", "diff_b", "w_norm", "b_norm")},
}
"""Everything of LyCORIS that is written alike behind names of any style."""
ONETRAINER_OFT_PARTS = {"oft_R.weight": ROTATION, "oft_R.scaled_oft": SCALED}
"""OneTrainer's OFT."""
LETTERED_PARTS = {
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora_B.bias": "up_bias",
    "lora_A.default.weight": "down",
    "lora_B.default.weight": "up",
}
"""The factors of a LoRA as PEFT calls them."""
