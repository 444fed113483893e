# SPDX-License-Identifier: Apache-2.0
"""How a base is walked: its scheduler's configuration, settled with what its files say themselves.

In: a `scheduler_config.json`, the words of the weight files, and what the operator says. Out: a
scheduler, and what to tell. Nothing is guessed where two of them disagree about one model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch

from tabard_registry.intake.report.training_words import Said, predictions, zero_snrs
from tabard_registry.release.sampling import EPSILON, FLOW_PREDICTION, V_PREDICTION
from tabard_server.engine.base.config_bounds import refuse_oversized
from tabard_server.engine.base.configs import refuse_other_kinds
from tabard_server.engine.base.files.stored_model import StoredModel
from tabard_server.engine.base.schedules.flow_schedule import (
    DYNAMIC,
    FLOW_CLASSES,
    make_flow_scheduler,
)
from tabard_server.engine_port.errors import BaseNotLoadable

ZERO_SNR = "rescale_betas_zero_snr"
PREDICTION = "prediction_type"
_AGAIN = "copy or download the folder again, or save the pipeline again"
_CLASSES = frozenset(
    f"{name}Scheduler"
    for name in (
        *("DDIM", "DDPM", "PNDM", "LMSDiscrete", "EulerDiscrete", "EulerAncestralDiscrete"),
        *("HeunDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "DPMSolverMultistep"),
        *("DPMSolverSinglestep", "DPMSolverSDE", "DEISMultistep", "UniPCMultistep", "LCM", "TCD"),
    )
)
"""Schedulers of the noise schedule that is served; others scale or bend it in ways of their own."""
_REQUIRED = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")
_OF_FLOWS = ("use_flow_sigmas", DYNAMIC)
_STEPS_MAX = 100_000
_PREDICTIONS = (EPSILON, V_PREDICTION, "sample")
_ZERO = 1e-6
_ALPHAS_APART = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the operator says of a base, whatever it says itself.

    Attributes:
        prediction: `epsilon` or `v_prediction`; None: as the base says.
        is_zero_snr: Whether its noise schedule ends in pure noise; None: as the base says.
        family: `sd1`, `sd2` or `sdxl`; None: as the base says.
    """

    prediction: str | None = None
    is_zero_snr: bool | None = None
    family: str | None = None


@dataclass(slots=True, kw_only=True)
class _Settled:
    config: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def is_flow(config: Mapping[str, Any]) -> bool:
    """Say whether a scheduler's configuration is that of a flow, and not of a noise schedule."""
    return str(config.get("_class_name")) in FLOW_CLASSES


def prediction_of(config: Mapping[str, Any]) -> str:
    """Return what a model that is walked so predicts, by diffusers' names."""
    return FLOW_PREDICTION if is_flow(config) else str(config.get(PREDICTION) or EPSILON)


def make_scheduler(
    config: Mapping[str, Any], *, stored: StoredModel, is_lent: bool, asked: Asked
) -> tuple[Any, tuple[str, ...]]:
    """Make the scheduler that a base is walked with, and say what an operator should know.

    Args:
        config: As it stands in `scheduler_config.json`.
        stored: The weights, with their words.
        is_lent: Whether the configuration is that of a family, and not of these weights.
        asked: What the operator says.

    Raises:
        BaseNotLoadable: It is no schedule that is served, or two things contradict each other.
    """
    if is_flow(config):
        _refuse_settings(asked, source=stored.source)
        scheduler = make_flow_scheduler(config, source=stored.source)
        return scheduler, tuple(_pointless(config, stored=stored))
    _refuse_unknown(config, source=stored.source)
    settled = _Settled(config=dict(config))
    _settle_prediction(settled, stored=stored, is_lent=is_lent, asked=asked)
    _settle_zero_snr(settled, stored=stored, is_lent=is_lent, asked=asked)
    final = settled.config
    if final.get(ZERO_SNR) and final[PREDICTION] == EPSILON:
        raise BaseNotLoadable(
            f"{stored.source} predicts noise (epsilon), and its schedule ends in nothing but "
            "noise (zero SNR): its first step would divide by zero",
            hint="say which is wrong by base_prediction = v_prediction or base_zero_snr = false",
        )
    scheduler = _build(final, source=stored.source)
    if _is_other_table(stored.alphas, scheduler):
        settled.remarks.append(
            "the noise schedule that its file holds (alphas_cumprod) is not that of its "
            "configuration, by which it is walked"
        )
    return scheduler, tuple(settled.remarks)


def _refuse_unknown(config: Mapping[str, Any], *, source: str) -> None:
    name = str(config.get("_class_name"))[:80]
    if name not in _CLASSES:
        raise BaseNotLoadable(
            f"{source} is walked by a {name}, whose noise schedule is not served",
            hint=f"give a base of one of: {', '.join(sorted(_CLASSES | FLOW_CLASSES))}",
        )
    flows = [entry for entry in _OF_FLOWS if config.get(entry)]
    if flows:
        raise BaseNotLoadable(
            f"the {name} of {source} is told to walk a flow ({flows[0]}), and is none by itself",
            hint="give the pipeline the FlowMatchEulerDiscreteScheduler that it came with, or, if "
            "it is no flow, take that out of its scheduler_config.json",
        )
    missing = [key for key in _REQUIRED if config.get(key) is None]
    if missing:
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} does not say {missing[0]}", hint=_AGAIN
        )
    steps = config["num_train_timesteps"]
    if type(steps) is not int or not 1 < steps <= _STEPS_MAX:
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} says {str(steps)[:40]} steps", hint=_AGAIN
        )


def _refuse_settings(asked: Asked, *, source: str) -> None:
    """Refuse what an operator says of a flow that says something of noise schedules alone."""
    for setting, value in (
        ("base_prediction", asked.prediction),
        ("base_zero_snr", asked.is_zero_snr),
    ):
        if value is not None:
            raise BaseNotLoadable(
                f"{setting} is {str(value).lower()}, and {source} is a flow, which has neither a "
                "choice of predictions nor a noise schedule",
                hint=f"leave {setting} out, or give the base that it was meant for",
            )


def _pointless(config: Mapping[str, Any], *, stored: StoredModel) -> Iterator[str]:
    """Say what the files of a flow say that means nothing for it."""
    said = [one.where for one in (*predictions(stored.words), *zero_snrs(stored.words))]
    entries = {PREDICTION: (None, FLOW_PREDICTION), ZERO_SNR: (None, False)}
    for entry, silent in entries.items():
        if config.get(entry) not in silent:
            said.append(f"{entry} {str(config[entry])[:60]}")
    if stored.alphas:
        said.append("alphas_cumprod, a noise schedule")
    if said:
        yield f"it is walked as a flow, whatever its files say of noise: {'; '.join(said)}"


def _settle_prediction(
    settled: _Settled, *, stored: StoredModel, is_lent: bool, asked: Asked
) -> None:
    own = settled.config.get(PREDICTION)
    value = _choose(
        "its UNet's prediction",
        said=predictions(stored.words),
        config=None if own is None else Said(value=str(own)[:60], where=f"{PREDICTION} {own}"),
        asked=asked.prediction,
        setting="base_prediction = epsilon or v_prediction",
        is_lent=is_lent,
        settled=settled,
        source=stored.source,
    )
    value = value or EPSILON
    if value not in _PREDICTIONS:
        raise BaseNotLoadable(
            f"{stored.source} predicts {value}, which is not served",
            hint="if that is wrong, say base_prediction = epsilon or v_prediction",
        )
    settled.config[PREDICTION] = value


def _settle_zero_snr(
    settled: _Settled, *, stored: StoredModel, is_lent: bool, asked: Asked
) -> None:
    own = settled.config.get(ZERO_SNR)
    said = zero_snrs(stored.words)
    if stored.alphas and abs(stored.alphas[-1]) < _ZERO:
        said = (*said, Said(value="yes", where="alphas_cumprod, which ends in zero"))
    value = _choose(
        "whether its noise schedule ends in pure noise (zero SNR)",
        said=said,
        config=None if own is None else Said(value=_yes(own), where=f"{ZERO_SNR} {own}"),
        asked=None if asked.is_zero_snr is None else _yes(asked.is_zero_snr),
        setting="base_zero_snr = true or false",
        is_lent=is_lent,
        settled=settled,
        source=stored.source,
    )
    if value == "yes" and not own:
        settled.config |= {ZERO_SNR: True, "timestep_spacing": "trailing"}
    elif value == "no" and own:
        settled.config[ZERO_SNR] = False


def _choose(
    what: str,
    *,
    said: Sequence[Said],
    config: Said | None,
    asked: str | None,
    setting: str,
    is_lent: bool,
    settled: _Settled,
    source: str,
) -> str | None:
    """Return what holds: the operator's word, then the files', then the configuration's."""
    everything = [*said, *([] if config is None else [config])]
    if asked is not None:
        if against := [one for one in everything if one.value != asked]:
            settled.remarks.append(f"{what} is {asked}, as was asked; {against[0].where} disagrees")
        return asked
    values = {one.value for one in said}
    judges = said if is_lent else everything
    if len({one.value for one in judges}) > 1:
        words = "; ".join(dict.fromkeys(one.where for one in judges))
        raise BaseNotLoadable(
            f"{source} contradicts itself about {what}: {words}", hint=f"say {setting}"
        )
    if values:
        value = next(iter(values))
        if config is not None and config.value != value:
            settled.remarks.append(
                f"{what} is {value}, as the file says ({said[0].where}); the configs that it was "
                f"loaded with say {config.value}"
            )
        return value
    return None if config is None else config.value


def _build(config: Mapping[str, Any], *, source: str) -> Any:
    kind = getattr(diffusers, config["_class_name"])
    file = Path(source) / "scheduler_config.json"
    refuse_oversized(config, file=file)
    refuse_other_kinds(config, of=kind, file=file)
    try:
        scheduler = kind.from_config(dict(config))
        betas = scheduler.betas
        # Whichever sampler walks it: what this one cannot make steps of, none can.
        walked = diffusers.DDIMScheduler.from_config(dict(config))
        walked.set_timesteps(2)
        is_whole = len(betas) == config["num_train_timesteps"]
        is_sound = bool(torch.isfinite(betas).all() and betas.min() > 0 and betas.max() <= 1)
    # A constructor of a library stumbles in its own way over every value that cannot be.
    except Exception as error:
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} describes no noise schedule", hint=_AGAIN
        ) from error
    if not is_whole:
        raise BaseNotLoadable(
            f"the noise schedule of {source} has {len(betas)} shares of noise for "
            f"{config['num_train_timesteps']} steps",
            hint=_AGAIN,
        )
    if not 0 <= int(walked.timesteps.min()) <= int(walked.timesteps.max()) < len(betas):
        raise BaseNotLoadable(
            f"the scheduler_config.json of {source} makes steps that its noise schedule has not",
            hint=_AGAIN,
        )
    if not is_sound:
        raise BaseNotLoadable(
            f"the noise schedule of {source} is not one: its shares of noise leave 0 to 1",
            hint=_AGAIN,
        )
    return scheduler


def _is_other_table(alphas: Sequence[float], scheduler: Any) -> bool:
    if not alphas:
        return False
    own = scheduler.alphas_cumprod.double()
    found = torch.tensor(alphas, dtype=torch.float64)
    is_rescaled = bool(scheduler.config.get(ZERO_SNR))
    if len(own) != len(found):
        return True
    # Who trains to zero SNR mostly keeps the table of the model that he began with.
    return not is_rescaled and bool((own - found).abs().max() > _ALPHAS_APART)


def _yes(value: Any) -> str:
    return "yes" if value else "no"
