# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_registry import Registry
from tabard_registry.errors import PreconditionFailed
from tabard_registry.export.export import export_release
from tests.registry.export.round_trips import dora, put
from tests.registry.fakes import write


def test_magnitude_of_inputs_has_no_diffusers_form(tmp_path: Path, registry: Registry) -> None:
    """PEFT knows only magnitudes of the outputs."""
    release, _ = put(registry, write(tmp_path / "x.safetensors", dora("inputs")))

    with pytest.raises(PreconditionFailed, match="scales its inputs") as refused:
        export_release(registry, release, style="diffusers", folder=tmp_path)

    assert refused.value.reason == "FORMAT_CANNOT_HOLD"
