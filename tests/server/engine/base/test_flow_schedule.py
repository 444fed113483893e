# SPDX-License-Identifier: Apache-2.0
"""Schedules of flow bases: as SD 3.5 and Flux.1 have them, and what is none."""

from typing import Any

import diffusers
import pytest
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from tabard_server.engine.base.flow_schedule import make_flow_scheduler, size_shift
from tabard_server.engine_port.errors import BaseNotLoadable

SD35: dict[str, Any] = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "_diffusers_version": "0.31.0",
    "num_train_timesteps": 1000,
    "shift": 3.0,
}
FLUX: dict[str, Any] = {
    **SD35,
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 1.15,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
}


@pytest.mark.parametrize("config", [SD35, FLUX], ids=["sd35", "flux"])
def test_schedule_is_that_of_diffusers(config: dict[str, Any]) -> None:
    """Every entry that its class has; what is left of others does not reach any sampler."""
    foreign = {"prediction_type": "epsilon", "thresholding": True, "beta_start": 0.1}

    found = make_flow_scheduler({**config, **foreign}, source="x")

    theirs = diffusers.FlowMatchEulerDiscreteScheduler.from_config(config)
    assert found.config.keys() & foreign.keys() == set()
    assert found.config["_class_name"] == "FlowMatchEulerDiscreteScheduler"
    assert found.sigmas.tolist() == theirs.sigmas.tolist()
    assert {name: found.config[name] for name in config if name[0] != "_"} == {
        name: value for name, value in config.items() if name[0] != "_"
    }


@pytest.mark.parametrize("kind", ["FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler"])
def test_other_flows_are_read(kind: str) -> None:
    """A pipeline that was saved with another scheduler of flows."""
    found = make_flow_scheduler({**SD35, "_class_name": kind}, source="x")

    assert (found.config["_class_name"], found.config["shift"]) == (kind, 3.0)


@pytest.mark.parametrize("tokens", [1, 256, 1024, 4096, 16384])
def test_shift_by_size_equals_diffusers(tokens: int) -> None:
    """To the last bit."""
    assert size_shift(FLUX, image_tokens=tokens) == calculate_shift(tokens, 256, 4096, 0.5, 1.15)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"num_train_timesteps": None}, "does not say num_train_timesteps"),
        ({"num_train_timesteps": True}, "True"),
        ({"num_train_timesteps": 1}, "1 steps"),
        ({"num_train_timesteps": 1 << 40}, "num_train_timesteps"),
        ({"shift": 0.0}, "its shift is 0.0"),
        ({"shift": -3.0}, "its shift is -3.0"),
        ({"shift": 1e6}, "its shift is 1000000.0"),
        ({"shift": "3"}, "'3' for shift"),
        ({"shift": float("nan")}, "nan"),
        ({"invert_sigmas": True}, "invert_sigmas"),
        ({"shift_terminal": 1.0}, "shift_terminal is 1.0"),
        ({"shift_terminal": "x"}, "shift_terminal is x"),
        ({"use_karras_sigmas": True, "use_beta_sigmas": True}, "no flow|bent twice"),
        ({"time_shift_type": "cubic"}, "describes no flow"),
        ({"use_dynamic_shifting": "yes"}, "'yes' for use_dynamic_shifting"),
        ({"use_dynamic_shifting": True, "base_shift": None}, "base_shift is None"),
        ({"use_dynamic_shifting": True, "base_image_seq_len": 4096}, "4096 to 4096"),
        ({"use_dynamic_shifting": True, "max_shift": 1e4}, "shifts pictures"),
        (
            {"use_dynamic_shifting": True, "time_shift_type": "linear", "base_shift": -1.0},
            "shifts pictures",
        ),
        ({"_class_name": "FlowMatchLCMScheduler", "scale_factors": [1.0, 2.0]}, "several sizes"),
    ],
)
def test_what_makes_no_flow_is_refused(changed: dict[str, Any], says: str) -> None:
    """By the entry, before anything is walked with it."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        make_flow_scheduler({**SD35, **changed}, source="x")

    assert caught.value.hint
