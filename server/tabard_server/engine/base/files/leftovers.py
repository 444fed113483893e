# SPDX-License-Identifier: Apache-2.0
"""Keys that no weight of a model was read from: harmless by name, or the component is refused.

Pure functions of names. What a component's own keys hold beyond its weights changes what the
weights mean, as scales do, or shows that the file is of another model.
"""

import re
from collections.abc import Iterable, Sequence

from tabard_registry.grammar import counted
from tabard_server.engine.base.files.scales import quantised_by
from tabard_server.engine_port.errors import BaseNotLoadable

_QUOTED = 3
# The other half of a CLIP, what it is trained with, and tables that are the same in every one.
_OF_TEXT = re.compile(
    r"(?:text_model\.)?embeddings\.position_ids|text_projection(?:\.weight)?|logit_scale"
    r"|attn_mask|(?:vision_model|visual|visual_projection)\..*"
    # T5's one embedding under its second name.
    r"|encoder\.embed_tokens\.weight"
)
# What a VAE is trained against, and averages of its training.
_OF_VAE = re.compile(r"(?:loss|model_ema|discriminator)\..*")
# Tables that follow from the noise schedule, which stands in the configuration.
_OF_TRAINING = re.compile(
    r"(?:sqrt_)?(?:one_minus_)?(?:alphas_cumprod|alphas_cumprod_prev|betas)|log_one_minus_alphas_"
    r"cumprod|sqrt_one_minus_alphas_cumprod|sqrt_recip_alphas_cumprod|sqrt_recipm1_alphas_cumprod"
    r"|posterior_.*|lvlb_weights|logvar|scale_factor|global_step|epoch|state_dict|denoiser\.sigmas"
)
_OF_LORA = re.compile(r".*(?:lora_[AB]|lora_(?:down|up)|lora_linear_layer|\.base_layer)\b.*")


def is_harmless(key: str, *, component: str) -> bool:
    """Say whether a key of a component, without its prefix, is known to mean nothing here."""
    if component.startswith("text_encoder"):
        return _OF_TEXT.fullmatch(key) is not None
    return component == "vae" and _OF_VAE.fullmatch(key) is not None


def is_bookkeeping(key: str) -> bool:
    """Say whether a key outside every component follows from the configuration."""
    return _OF_TRAINING.fullmatch(key) is not None


def refuse_left_over(keys: Sequence[str], *, component: str, source: str) -> None:
    """Refuse a component that holds more than the weights of its model.

    Raises:
        BaseNotLoadable: It does.
    """
    if not keys:
        return
    keys = sorted(keys)
    hint = (
        "take weights and configuration from one source; for a single file, name a folder whose "
        "configs fit it by base_config"
    )
    if any(_OF_LORA.match(key) for key in keys):
        hint = "fuse the adapter into the model before saving it, or publish the adapter by itself"
    elif quantised_by(iter(keys)) or any(key.endswith("scale") for key in keys):
        hint = "give the checkpoint that it was quantised from"
    raise BaseNotLoadable(
        f"{source} holds {counted(len(keys), 'key')} of its {component} that no weight is read "
        f"from: {quoted(keys)}",
        hint=hint,
    )


def quoted(keys: Iterable[str]) -> str:
    """Return the first few keys, as a message quotes them."""
    keys = list(keys)
    return ", ".join(key[:120] for key in keys[:_QUOTED]) + (", …" if len(keys) > _QUOTED else "")
