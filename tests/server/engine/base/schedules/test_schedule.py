# SPDX-License-Identifier: Apache-2.0
"""How a base is walked: what its files say, what its configuration says, and who decides."""

from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.schedules.flow_schedule import make_flow_scheduler, size_shift
from tabard_server.engine.base.schedules.schedule import (
    Asked,
    is_flow,
    make_scheduler,
    prediction_of,
)
from tabard_server.engine_port.errors import BaseNotLoadable

CONFIG: dict[str, Any] = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
V = {"modelspec.prediction_type": "v"}
EPS = {"modelspec.prediction_type": "epsilon"}
ZERO = {"ztsnr": "among its keys"}


def _make(
    config: dict[str, Any],
    words: dict[str, str],
    *,
    is_lent: bool = False,
    asked: Asked | None = None,
    alphas: tuple[float, ...] = (),
) -> tuple[Any, tuple[str, ...]]:
    stored = StoredModel(source="x", components={}, words=words, alphas=alphas)
    return make_scheduler(
        {**CONFIG, **config}, stored=stored, is_lent=is_lent, asked=asked or Asked()
    )


@pytest.mark.parametrize(
    ("config", "words", "prediction"),
    [
        ({}, {}, "epsilon"),
        ({"prediction_type": "v_prediction"}, {}, "v_prediction"),
        ({}, V, "v_prediction"),
        ({}, {"modelspec.predict_key": "v"}, "v_prediction"),
        ({}, {"v_pred": "among its keys"}, "v_prediction"),
        ({}, {"ss_v_parameterization": "True"}, "v_prediction"),
        ({}, {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v_prediction"),
        ({}, {"ss_base_model_version": "sd_v2_v"}, "v_prediction"),
        ({"prediction_type": "epsilon"}, EPS, "epsilon"),
        ({"prediction_type": "v_prediction"}, V, "v_prediction"),
    ],
)
def test_words_are_obeyed(config: dict[str, Any], words: dict[str, str], prediction: str) -> None:
    """A file that says how it was trained is walked that way, where nothing speaks against it."""
    scheduler, remarks = _make(config, words)

    assert scheduler.config.prediction_type == prediction
    assert remarks == ()


@pytest.mark.parametrize(
    ("config", "words", "setting"),
    [
        ({"prediction_type": "epsilon"}, V, "base_prediction"),
        ({"prediction_type": "v_prediction"}, EPS, "base_prediction"),
        ({}, {**EPS, "v_pred": "among its keys"}, "base_prediction"),
        ({"prediction_type": "epsilon"}, {"modelspec.prediction_type": "flow"}, "base_prediction"),
        ({}, {"modelspec.prediction_type": "flow"}, "base_prediction"),
        ({"rescale_betas_zero_snr": False}, {**V, **ZERO}, "base_zero_snr"),
        (
            {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
            {"ss_zero_terminal_snr": "False"},
            "base_zero_snr",
        ),
    ],
)
def test_contradiction_is_refused(
    config: dict[str, Any], words: dict[str, str], setting: str
) -> None:
    """Nothing is guessed where a file and its configuration disagree; a setting decides."""
    with pytest.raises(BaseNotLoadable) as caught:
        _make(config, words)

    assert f"{setting} = " in caught.value.hint
    assert next(reversed(words)) in str(caught.value) or "flow" in str(caught.value)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("words", [V, EPS, {}])
def test_setting_decides(prediction: str, words: dict[str, str]) -> None:
    """Whatever the others say; what it overrules is told."""
    scheduler, remarks = _make(
        {"prediction_type": "epsilon"}, words, asked=Asked(prediction=prediction)
    )

    assert scheduler.config.prediction_type == prediction
    assert bool(remarks) is (prediction != "epsilon" or words == V)


def test_setting_decides_on_zero_snr() -> None:
    """On, with the spacing that reaches the last step; and off."""
    v = {"prediction_type": "v_prediction"}

    on, told = _make({**v, "rescale_betas_zero_snr": False}, {}, asked=Asked(is_zero_snr=True))
    off, _ = _make({**v, "rescale_betas_zero_snr": True}, ZERO, asked=Asked(is_zero_snr=False))

    assert on.config.rescale_betas_zero_snr and on.config.timestep_spacing == "trailing"
    assert float(on.alphas_cumprod[-1]) == pytest.approx(0.0, abs=1e-6)
    assert "as was asked" in told[0]
    assert not off.config.rescale_betas_zero_snr


def test_lent_configuration_does_not_contradict() -> None:
    """The configs of a family know nothing of this file: its words hold, and that is told."""
    config = {"prediction_type": "epsilon", "rescale_betas_zero_snr": False}

    scheduler, remarks = _make(config, {**V, **ZERO}, is_lent=True)

    assert scheduler.config.prediction_type == "v_prediction"
    assert scheduler.config.rescale_betas_zero_snr
    assert ["as the file says" in remark for remark in remarks] == [True, True]


def test_table_of_the_file_is_compared() -> None:
    """A table that ends in zero says zero SNR; another than the configuration's is told."""
    own = tuple(DDIMScheduler.from_config(CONFIG).alphas_cumprod.tolist())
    half = tuple(torch.tensor(own).half().tolist())
    other = tuple(alpha**2 for alpha in own)

    assert _make({}, {}, alphas=own)[1] == _make({}, {}, alphas=half)[1] == ()
    assert "alphas_cumprod" in _make({}, {}, alphas=other)[1][0]
    assert "alphas_cumprod" in _make({}, {}, alphas=own[:10])[1][0]
    ended = (*own[:-1], 0.0)
    assert _make({}, V, alphas=ended)[0].config.rescale_betas_zero_snr
    with pytest.raises(BaseNotLoadable, match="alphas_cumprod, which ends in zero"):
        _make({"rescale_betas_zero_snr": False}, V, alphas=ended)


def test_zero_snr_needs_v_prediction() -> None:
    """Noise alone says nothing of a picture: the first step would divide by zero."""
    with pytest.raises(BaseNotLoadable, match="divide by zero") as caught:
        _make({"rescale_betas_zero_snr": True}, {})

    assert "base_prediction" in caught.value.hint and "base_zero_snr" in caught.value.hint


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"_class_name": "EDMEulerScheduler"}, "EDMEulerScheduler"),
        ({"use_flow_sigmas": True}, "told to walk a flow"),
        ({"use_dynamic_shifting": True}, "told to walk a flow"),
        ({"prediction_type": "flow_prediction"}, "flow_prediction"),
        ({"_class_name": None}, "None"),
        ({"beta_start": None}, "does not say beta_start"),
        ({"num_train_timesteps": 1 << 40}, "steps"),
        ({"num_train_timesteps": True}, "steps"),
        ({"num_train_timesteps": "1000"}, "steps"),
        ({"beta_schedule": "x"}, "describes no noise schedule"),
        ({"timestep_spacing": "x"}, "describes no noise schedule"),
        ({"beta_start": -5.0}, "describes no noise schedule|shares of noise"),
        ({"beta_end": 2.0}, "shares of noise leave 0 to 1"),
        ({"trained_betas": [0.1] * 10}, "10 shares of noise for 1000 steps"),
        ({"beta_start": "0.1"}, "'0.1' for beta_start"),
        ({"prediction_type": "sample_of_x"}, "sample_of_x"),
        ({"steps_offset": 10_000}, "makes steps that its noise schedule has not"),
        ({"steps_offset": -600}, "-600 for steps_offset"),
        ({"_class_name": "UniPCMultistepScheduler", "solver_order": 10**9}, "for solver_order"),
    ],
)
def test_impossible_schedule_is_refused(config: dict[str, Any], says: str) -> None:
    """Schedulers of another kind of noise, and numbers that make none."""
    with pytest.raises(BaseNotLoadable, match=says) as caught:
        _make(config, {})

    assert caught.value.hint


FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}


def test_flow_is_walked_as_one() -> None:
    """And predicts the flow, which stands in no configuration of its scheduler."""
    scheduler, remarks = _make(FLOW, {})

    assert is_flow(scheduler.config) and not is_flow(CONFIG) and not is_flow({})
    assert prediction_of(scheduler.config) == "flow_prediction"
    assert prediction_of(CONFIG) == "epsilon"
    assert remarks == () and scheduler.config["shift"] == 3.0


@pytest.mark.parametrize(
    ("asked", "setting"),
    [
        (Asked(prediction="v_prediction"), "base_prediction"),
        (Asked(is_zero_snr=False), "base_zero_snr"),
    ],
)
def test_settings_of_noise_are_refused_on_a_flow(asked: Asked, setting: str) -> None:
    """They would decide nothing; the one that was meant for another base is named."""
    with pytest.raises(BaseNotLoadable, match=setting) as caught:
        _make(FLOW, {}, asked=asked)

    assert setting in caught.value.hint


def test_words_of_noise_are_told_on_a_flow() -> None:
    """What files say of noise schedules means nothing there, and is no secret."""
    _, (remark,) = _make(
        {**FLOW, "rescale_betas_zero_snr": True, "prediction_type": "sample"}, V, alphas=(0.9, 0.1)
    )

    for word in ("modelspec", "rescale_betas_zero_snr", "sample", "alphas_cumprod"):
        assert word in remark


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
def test_flow_is_that_of_diffusers(config: dict[str, Any]) -> None:
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
