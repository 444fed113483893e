# SPDX-License-Identifier: Apache-2.0
"""How a base is walked: what its files say, what its configuration says, and who decides."""

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler

from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.schedule import Asked, is_flow, make_scheduler, prediction_of
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
