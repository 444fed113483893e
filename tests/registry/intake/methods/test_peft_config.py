# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from tests.registry.fakes import kohya_tensors
from tests.registry.intake.lora_files import PROFILE, checked, reasons, renamed


def header_alpha(**fields: object) -> dict[str, str]:
    """Metadata as diffusers writes it."""
    both = {f"{c}.{k}": v for c in ("unet", "text_encoder") for k, v in fields.items()}
    return {"format": "pt", "lora_adapter_metadata": json.dumps(both)}


def test_header_alpha_applies(tmp_path: Path) -> None:
    """The alpha in diffusers' header counts, with its exceptions and rsLoRA."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE, rank=4), table)
    metadata = header_alpha(r=4, lora_alpha=8, alpha_pattern={"attn1.to_q": 2}, use_rslora=True)

    result = checked(tmp_path, tensors, metadata=metadata)

    scales = {layer.module: layer.scale for layer in result.layers}
    block = "mid_block.attentions.0.transformer_blocks.0"
    assert result.report.accepted
    assert (scales[f"{block}.attn1.to_q"], scales[f"{block}.attn2.to_q"]) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"lora_alpha": 8, "use_dora": True}, "INCOMPLETE_PAIR"),
        ({"lora_alpha": 8, "peft_type": "LN_TUNING"}, "UNSUPPORTED_DIALECT"),
        ({"lora_alpha": 8, "peft_type": "LOHA"}, "ALPHA_UNKNOWN"),
        ({"lora_alpha": 8, "alpha_pattern": {"attn1.to_q": None}}, "ALPHA_UNKNOWN"),
        ({"lora_alpha": 8, "alpha_pattern": {"(a+)+$": 1}}, "ALPHA_UNKNOWN"),
        ({"lora_alpha": "eight"}, "ALPHA_UNKNOWN"),
        ({"lora_alpha": 0}, "BAD_ALPHA"),
        ({"lora_alpha": 1e30}, "BAD_ALPHA"),
    ],
)
def test_unclear_header_is_refused(fields: dict[str, object], reason: str, tmp_path: Path) -> None:
    """A configuration that cannot be relied on is not guessed at."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    tensors = renamed(kohya_tensors(PROFILE), table)

    result = checked(tmp_path, tensors, metadata=header_alpha(**fields))

    assert reasons(result.report) == [reason]
