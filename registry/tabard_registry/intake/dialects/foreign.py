# SPDX-License-Identifier: Apache-2.0
"""Files that are not taken, by the names of their tensors: what they are, and what to do with them.

Names in, at most one problem out: a file is one thing, and the first line of the table that knows
one of its names says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tabard_registry.intake.profile import BaseProfile
from tabard_registry.report import Problem

_AS_LORA = (
    "Export it as a plain LoRA (lora_down/lora_up), for example with the trainer's converter."
)
_LAYERS_ONLY = "Train or export it for linear layers and convolutions only."
_EXTRACT = (
    "Extract an adapter from it, `tabard extract CHECKPOINT --base BASE --out FILE`, where BASE is "
    "what it was trained from (add --low-rank-only to wear it row by row), and publish that."
)
_OTHER_BASE = "Serve it on a base of its own family, or train it on this one."
_OTHER_TOOL = "Use it where it belongs: Tabard serves adapters of a UNet and its text encoders."
_OF_SDXL = "made for SDXL"
_LATER = "made for a later family, such as SD3 or Flux"
_OF_LTX = "made for LTX-Video, PixArt or another transformer of their kind"
_T5_OF_FAMILY = {"sd3": "text_encoder_3", "flux": "text_encoder_2"}
"""Which component of a family is its T5."""
_T5_KEY = re.compile(r"lora_te3_|text_encoder_3\.|text_encoders\.t5")
_T5_WORD = re.compile(r"t5(?:xxl)?$")
_OWNER = (
    r"(?:model\.diffusion_model\.|diffusion_model\.|transformer\.|base_model\.model\."
    r"|lora_unet_|lora_transformer_|lycoris_|)"
)
"""What names of layers begin with, in files of which the rest tells what they are."""
_UP_BIAS = re.compile(r"\.lora_(?:up|B)\.bias$")
_WORN = r"\.(?:lora|lokr|hada|dora|alpha|diff)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    """One kind of file.

    Attributes:
        what: What people call it.
        begins: A pattern of how a name begins.
        holds: A pattern of what stands anywhere in a name.
        remedy: What to do with it.
        reason: Code of the problem.
        family: The family of bases that such a file is at home on; empty: none that is served.
    """

    what: str
    begins: str = ""
    holds: str = ""
    remedy: str = _OTHER_TOOL
    reason: str = "UNSUPPORTED_DIALECT"
    family: str = ""

    @property
    def pattern(self) -> str:
        """Match names of this kind."""
        return "|".join(
            [*([self.begins] if self.begins else []), *([f".*(?:{self.holds})"] * bool(self.holds))]
        )


def _family(what: str, *, begins: str = "", holds: str = "", family: str = "") -> _Format:
    return _Format(
        what=f"made for {what}",
        begins=begins,
        holds=holds,
        remedy=_OTHER_BASE,
        reason="WRONG_FAMILY",
        family=family,
    )


_FORMATS = (
    # Layers under names that a wrapper gave them.
    _Format(
        what="saved from a wrapped model (DDP, FSDP or torch.compile)",
        begins=r"(?:module|_orig_mod|_fsdp_wrapped_module)\.",
        holds=r"[._](?:_orig_mod|_fsdp_wrapped_module)[._]",
        remedy="Unwrap the model before it is saved, so that no key has `module.`, `_orig_mod.` or "
        "`_fsdp_wrapped_module.` in it.",
    ),
    _Format(
        what="the state of a running PEFT model, whose keys hold an adapter's own name",
        holds=r"\.lora_(?:[AB]|magnitude_vector)\.(?!default\.|weight$|bias$)[^.]+(?:\.weight|\.bias|$)",
        remedy="Save it with PEFT's `save_pretrained` or `get_peft_model_state_dict`, which leave "
        "the name out.",
    ),
    # What belongs beside a base.
    _Format(what="a ControlNet-LLLite", begins=r"lllite_"),
    _Format(
        what="an IP-Adapter, as InstantID's is",
        begins=r"image_proj(?:_model)?\.|ip_adapter\.|\d+\.to_(?:q|k|v|out)_lora\.",
        holds=r"to_[kv]_ip\.|ip_adapter_(?:double|single)_stream",
    ),
    _Format(what="a PhotoMaker", begins=r"id_encoder\.|lora_weights\."),
    _Format(
        what="a T2I-Adapter",
        begins=r"(?:adapter\.)?body\.\d+\.(?:in_conv|block[12]|skep|down_opt|resnets)\.|adapter\.",
    ),
    _Format(what="a motion LoRA (AnimateDiff)", holds=r"motion_modules[._].*lora"),
    _Format(what="a motion module (AnimateDiff)", holds=r"motion_modules[._]"),
    _Format(
        what="a ControlNet",
        begins=r"control_model\.|controlnet_|lora_controlnet$|input_hint_block\.|zero_convs\."
        r"|control_(?:all_x_embedder|layers)\.|vace_blocks\.",
    ),
    _Format(what="a GLIGEN", begins=r"position_net\.", holds=r"\.fuser\."),
    _Format(what="a Custom Diffusion", holds=r"_custom_diffusion\.", remedy=_AS_LORA),
    # Families of bases. Names that several have in common come last.
    _family(
        "HunyuanVideo or HunyuanImage",
        holds=r"individual_token_refiner|token_refiner[._]refiner_blocks|img_mod[._]linear"
        r"|img_mlp[._]fc[12]|double_blocks\.\d+\.img_attn_(?:qkv|proj)",
    ),
    _family("Chroma", holds=r"distilled_guidance_layer"),
    _family(
        "AuraFlow",
        begins=rf"{_OWNER}(?:double|single)_layers[._]\d+[._]",
        holds=r"joint_transformer_blocks[._]",
    ),
    _family("HiDream", holds=r"(?:double|single)_stream_blocks[._]"),
    _family("Qwen-Image", holds=r"(?:img|txt)_(?:mlp[._]net|mod[._]1)[._]"),
    _family(
        "Flux",
        begins=rf"{_OWNER}(?:double_blocks[._]\d+[._](?:img|txt)_"
        r"|single_blocks[._]\d+[._](?:linear|modulation)|(?:double|single)_stream_modulation)",
        holds=r"single_transformer_blocks[._]",
        family="flux",
    ),
    _family("SD3", begins=rf"{_OWNER}joint_blocks[._]", family="sd3"),
    _family(
        "Wan",
        begins=rf"{_OWNER}blocks[._]\d+[._](?:self_attn[._][qkvo]\.|ffn[._]"
        r"|cross_attn[._](?:[qkvo]|[kv]_img)\.|attn[12]\.)|head\.modulation$",
    ),
    _family(
        "Cosmos or Anima",
        begins=rf"(?:net\.)?{_OWNER}blocks[._]\d+[._](?:self_attn|cross_attn)[._][qkv]_proj",
    ),
    _family(
        "PixArt or Sana",
        begins=rf"{_OWNER}blocks[._]\d+[._](?:cross_attn[._]k?[qv]_linear|attn[._])",
    ),
    _family(
        "Lumina 2 or Z-Image",
        begins=rf"{_OWNER}(?:layers[._]\d+[._](?:attention|attn|feed_forward|adaLN_modulation)[._]"
        r"|(?:noise|context)_refiner[._]|cap_embedder[._])",
    ),
    _family(
        "LTX-Video, PixArt or another transformer of their kind",
        begins=rf"{_OWNER}transformer_blocks[._]\d+[._]attn[12][._]",
        holds=r"patchify_proj|transformer_blocks\.\d+\.scale_shift_table",
    ),
    _family("Stable Cascade", begins=r"lora_prior_unet_", holds=r"\.channelwise\.|clip_txt_mapper"),
    _family("Stable Video Diffusion", holds=r"temporal_transformer_blocks[._]|[._]time_stack[._]"),
    # Parts of models.
    _Format(
        what="an upscaler",
        begins=r"model\.\d+\.sub\.\d+\.RDB|RRDB_trunk\.|body\.\d+\.rdb\d\.|params(?:_ema)?\."
        r"|conv_first\.|layers\.\d+\.residual_group\.",
    ),
    _Format(
        what="a T5 text encoder",
        begins=rf"(?!.*{_WORN})(?:transformer\.)?encoder\.block\.\d+\.layer\.|shared\.weight$",
    ),
    _Format(what="a CLIP vision encoder", begins=r"vision_model\.|visual\."),
    _Format(
        what="a language model, or an adapter of one",
        begins=r"(?:base_model\.model\.)?model\.(?:layers\.\d+\.(?:self_attn|mlp)\.|embed_tokens\.)",
    ),
    _family(
        "a later family, such as SD3 or Flux",
        begins=r"lora_te3_|text_encoder_3\.|text_encoders\.t5|lora_transformer_"
        r"|transformer\.(?!resblocks\.)|t5xxl$",
    ),
    _Format(
        what=_OF_SDXL,
        begins=r"lora_te2_|text_encoder_2\.|text_encoders\.clip_g\.|conditioner\.|clip_[lg]$",
        holds=r"(?:label_emb|add_embedding)[._]|transformer_blocks[._][1-9]",
        remedy=_OTHER_BASE,
        reason="WRONG_FAMILY",
    ),
    # Ways of training.
    _Format(what="a GLoRA with a core", holds=r"\.bm\.weight$", remedy=_AS_LORA),
    _Format(
        what="a PEFT LN_TUNING, which replaces norms",
        holds=r"\.ln_tuning_layers\.",
        remedy=_AS_LORA,
    ),
    _Format(
        what="a LoRA with inner biases",
        holds=r"\.lora(?:_linear_layer)?[._](?:A|down)\.bias$",
        remedy=_AS_LORA,
    ),
    _Format(what="a LoRA of an embedding", holds=r"\.lora_embedding_[AB]", remedy=_LAYERS_ONLY),
    _Format(what="a PEFT method other than LoRA", holds=r"\.(?:vera_|hra_|poly_)", remedy=_AS_LORA),
    _Format(
        what="a LoRA of ai-toolkit with input and output layers trained whole",
        begins=r"unet_conv_(?:in|out)\.",
        remedy="Train it without `full_train_in_out`, or merge and extract it.",
    ),
    # Models.
    _Format(
        what="a full checkpoint",
        begins=r"model\.diffusion_model\.|cond_stage_model\.|conditioner\.|model_ema\."
        r"|(?:conv_in|conv_out|time_embedding\.linear_[12])\.weight$"
        r"|(?:diffusion_model\.)?(?:time_embed\.[02]|input_blocks\.0\.0|out\.2)\.weight$",
        remedy=_EXTRACT,
    ),
    _Format(
        what="a VAE",
        begins=r"first_stage_model\.|vae\.|(?:post_)?quant_conv\.|taesd_"
        r"|(?:encoder|decoder)\.(?:down|up|mid|middle|conv_in|conv_out|conv1)[._]"
        r"|(?:encoder|decoder)\.(?:down_blocks|up_blocks|mid_block)\.",
    ),
    _Format(
        what="a CLIP text encoder",
        begins=rf"(?!.*{_WORN})(?:text_model\.|transformer\.)?(?:encoder\.layers|resblocks"
        r"|embeddings|final_layer_norm)\.|token_embedding\.weight$",
        remedy=_EXTRACT,
    ),
)


_UNET = _family(
    "a UNet, as Stable Diffusion 1, 2 and XL have",
    begins=r"unet\.|lora_unet_(?:down|up|mid|input|output|middle)_|(?:diffusion_model\.)?"
    r"(?:input|output|middle)_block|(?:down_blocks|up_blocks|mid_block)\.",
)
"""What is foreign on a transformer only."""


def find_foreign(
    keys: Iterable[str], *, name: str, profile: BaseProfile, software: str = ""
) -> Problem | None:
    """Return what the file `name` is, if its keys show that it is nothing that is taken.

    Args:
        keys: Those of its tensors.
        name: What messages call it.
        profile: The base.
        software: What its header says of who wrote it.
    """
    keys = tuple(keys)
    if "ai-toolkit" in software and (biases := tuple(filter(_UP_BIAS.search, keys))):
        return _lorm(biases, name=name)
    formats = _formats(profile)
    # Asking once for all of them is what most files need: none of their keys is foreign.
    begins = re.compile("|".join(known.begins for known in formats if known.begins)).match
    holds = re.compile("|".join(known.holds for known in formats if known.holds)).search
    foreign = [key for key in keys if begins(key) or holds(key)]
    for known in formats if foreign else ():
        pattern = re.compile(known.pattern)
        if hits := tuple(filter(pattern.match, foreign)):
            return Problem(
                reason=known.reason,
                message=f"{name} is {known.what}: {len(hits)} of its tensors are not taken",
                remedy=known.remedy,
                keys=hits,
            )
    # Whoever has taken the wrong base has no use for advice on this one.
    absent = _absent_encoder(keys, name=name, profile=profile)
    return absent or _taught_t5(keys, name=name, profile=profile)


def _lorm(biases: tuple[str, ...], *, name: str) -> Problem:
    """Its factors are the layers themselves and not a change of them, which only biases show."""
    return Problem(
        reason="UNSUPPORTED_DIALECT",
        message=f"{name} is a LoRM of ai-toolkit, whose factors replace layers of the base: "
        f"{len(biases)} of its tensors are their biases",
        remedy="Train it as a LoRA: `type: lora` in its network.",
        keys=biases,
    )


def _formats(profile: BaseProfile) -> list[_Format]:
    """Return what is foreign on a base: not all that other families have is."""
    if profile.denoiser != "transformer":
        at_home = {_OF_SDXL} if _is_large(profile) else set()
        return [known for known in _FORMATS if known.what not in at_home]
    at_home = {_OF_SDXL, _LATER, *([_OF_LTX] if profile.family == "sd3" else [])}
    others = [
        known for known in _FORMATS if known.what not in at_home and known.family != profile.family
    ]
    return [_UNET, *others]


def _absent_encoder(keys: tuple[str, ...], *, name: str, profile: BaseProfile) -> Problem | None:
    """Refuse what changes the T5 of a base that is served without it."""
    t5 = _T5_OF_FAMILY.get(profile.family)
    if t5 is None or t5 in profile.modules:
        return None
    hits = tuple(filter(_T5_KEY.match, keys))
    if not hits:
        return None
    return Problem(
        reason="TEXT_ENCODER_ABSENT",
        message=f"{name} changes the T5 text encoder ({len(hits)} tensors, {hits[0][:80]!r} "
        "first), and this base is served without one",
        remedy="Serve the base with its T5, or train the adapter without it.",
        keys=hits,
    )


def _taught_t5(keys: tuple[str, ...], *, name: str, profile: BaseProfile) -> Problem | None:
    """Refuse vectors of a word for a T5, which reads words as they are written."""
    hits = tuple(filter(_T5_WORD.match, keys)) if profile.family in _T5_OF_FAMILY else ()
    if not hits:
        return None
    return Problem(
        reason="UNSUPPORTED_DIALECT",
        message=f"{name} teaches a word to the T5 text encoder ({hits[0][:80]!r}), which is taught "
        "none here: it reads every word as it is written",
        remedy="Train the word for the CLIPs of the base alone.",
        keys=hits,
    )


def _is_large(profile: BaseProfile) -> bool:
    """Whether the base itself is of SDXL's shape, so that such names are at home."""
    unet = profile.modules.get("unet", {})
    return "text_encoder_2" in profile.modules or any("transformer_blocks.1." in m for m in unet)
