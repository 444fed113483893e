# SPDX-License-Identifier: Apache-2.0
"""What A1111's clients always send and what changes nothing: by name, with the values that do not.

In: what was said. Out: the rest of it, or a refusal by name. Whatever is neither here nor a field
of a request is refused there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tabard_web.a1111.errors import refuse

Inert = Callable[[Any], bool]
"""Says of a value whether it changes nothing."""


def without_inert(said: Mapping[str, Any], *, inert: Mapping[str, Inert]) -> dict[str, Any]:
    """Give what was said without what changes nothing; null says nothing, whatever its name.

    Raises:
        ValueError: A parameter of A1111 has a value that would change the image.
    """
    rest: dict[str, Any] = {}
    for name, value in said.items():
        if value is None:
            continue
        if name not in inert:
            rest[name] = value
        elif not inert[name](value):
            raise refuse(
                name,
                "this value would change the image, and cannot be had here",
                hint="leave it out",
            )
    return rest


def anything(_value: Any) -> bool:
    """Whatever it is."""
    return True


def only(*values: Any) -> Inert:
    """Make a rule of the values that change nothing; 0 is 0.0 and False, as in JavaScript."""
    return lambda value: value in values


def _empty_scripts(value: Any) -> bool:
    """Say whether no script is asked for: those that are named have nothing to do."""
    if not isinstance(value, dict):
        return False
    return all(_is_idle(one) for one in value.values())


def _is_idle(script: Any) -> bool:
    if isinstance(script, dict):
        return all(name == "args" and args in (None, [], {}) for name, args in script.items())
    return script in (None, [])


_HIRES = (
    "hr_scale",
    "hr_upscaler",
    "hr_second_pass_steps",
    "hr_resize_x",
    "hr_resize_y",
    "hr_checkpoint_name",
    "hr_sampler_name",
    "hr_scheduler",
    "hr_prompt",
    "hr_negative_prompt",
    "hr_cfg",
)
ALWAYS: Mapping[str, Inert] = {
    "styles": only([], [""]),
    "subseed": anything,  # counts only with a strength
    "subseed_strength": only(0),
    "seed_resize_from_h": only(0, -1),
    "seed_resize_from_w": only(0, -1),
    "restore_faces": only(False),
    "tiling": only(False),
    "s_churn": only(0),
    "s_tmin": anything,  # counts only with a churn
    "s_tmax": anything,
    "s_noise": only(1),
    "s_min_uncond": only(0),
    "refiner_checkpoint": only("", "None"),
    "refiner_switch_at": anything,  # counts only with a checkpoint
    "disable_extra_networks": only(False),
    "script_name": only("", "None"),
    "script_args": only([]),
    "alwayson_scripts": _empty_scripts,
    "infotext": only(""),
    "save_images": only(False),
    "do_not_save_samples": anything,  # nothing is saved
    "do_not_save_grid": anything,
    "comments": anything,
    "force_task_id": anything,
    "token_merging_ratio": only(0),
}
"""What both kinds of requests have."""

TXT2IMG: Mapping[str, Inert] = {
    **ALWAYS,
    **dict.fromkeys(_HIRES, anything),  # counts only with enable_hr
    "enable_hr": only(False),
    "firstphase_width": only(0),
    "firstphase_height": only(0),
    "denoising_strength": anything,
    "firstpass_image": only(""),
}
"""Where nothing is begun from."""

IMG2IMG: Mapping[str, Inert] = {
    **ALWAYS,
    "resize_mode": only(0),
    "image_cfg_scale": anything,  # counts only for models that edit by words
    "initial_noise_multiplier": only(1),
    "inpaint_full_res_padding": anything,  # counts only with inpaint_full_res
    "include_init_images": anything,  # the answer never repeats them
    "latent_mask": only(""),
    "mask_round": only(True),
}
"""Where an image is begun from a picture."""

MASKED: Mapping[str, Inert] = {
    "mask_blur": only(0),
    "mask_blur_x": only(0),
    "mask_blur_y": only(0),
    "inpainting_fill": only(1),
    "inpaint_full_res": only(False),
    "inpainting_mask_invert": only(0),
}
"""What counts where there is a mask: it is taken as it is, over the picture as it is."""

UNMASKED: Mapping[str, Inert] = dict.fromkeys(MASKED, anything)
"""The same where there is none."""
