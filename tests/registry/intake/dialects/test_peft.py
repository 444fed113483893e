# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

from tabard_registry import check
from tests.registry.fakes import Tensors, kohya_tensors, write
from tests.registry.intake.lora_files import PROFILE, reasons, renamed


def peft_tensors() -> Tensors:
    """A UNet LoRA as PEFT saves it."""
    table = {"lora_down.weight": ".lora_A.weight", "lora_up.weight": ".lora_B.weight"}
    return {
        key.replace("unet.", "base_model.model.", 1): value
        for key, value in renamed(kohya_tensors(PROFILE, rank=4), table).items()
        if key.startswith("unet.")
    }


def test_peft_file_needs_its_configuration(tmp_path: Path) -> None:
    """PEFT keeps alpha beside the tensors: without it, alpha would be a guess."""
    path = write(tmp_path / "adapter_model.safetensors", peft_tensors())
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 2, "r": 4}))

    alone = check([path], profile=PROFILE)
    both = check([path, config], profile=PROFILE)

    assert reasons(alone.report) == ["ALPHA_UNKNOWN"]
    assert "adapter_config.json" in alone.report.problems[0].remedy
    assert both.report.accepted and both.report.dialect == "peft"
    assert {layer.scale for layer in both.layers} == {0.5}
    assert [file.name for file in both.files] == [path.name, config.name]
