# SPDX-License-Identifier: Apache-2.0
"""Words that are nobody's are not looked at: a mask for transformers that read text and picture.

In: which words of a batch count. Out: what diffusers' transformers take for it by
`joint_attention_kwargs`. Flux's processor obeys such a mask; SD3's takes it and passes over it, so
that it gets one that obeys. Without a mask both are the library's own, to the bit.
"""

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.attention_processor import JointAttnProcessor2_0
from torch.nn import functional


def attention_mask(
    mask: torch.Tensor, *, image_tokens: int, is_text_first: bool
) -> dict[str, torch.Tensor]:
    """Return the `joint_attention_kwargs` that keep every query from words that are nobody's.

    Args:
        mask: Which words are a sample's own, boolean `[samples, length]`.
        image_tokens: Tokens of the picture, all of which count.
        is_text_first: Whether the words come before the picture, as in Flux; in SD3 they follow.

    Returns:
        `attention_mask`, boolean `[samples, 1, 1, length + image_tokens]`.
    """
    picture = mask.new_ones(len(mask), image_tokens)
    joined = torch.cat([mask, picture] if is_text_first else [picture, mask], dim=1)
    return {"attention_mask": joined[:, None, None]}


def obey_masks(transformer: Any) -> None:
    """Let the attention of an `SD3Transformer2DModel` obey a mask over its words."""
    transformer.set_attn_processor(JointAttention())


class JointAttention:
    """diffusers' `JointAttnProcessor2_0`, which in addition obeys a mask over the words."""

    def __init__(self) -> None:
        self._unmasked: Callable[..., Any] = JointAttnProcessor2_0()

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> Any:
        """Attend from all to all, but to no word that is nobody's.

        Args:
            attn: Layers and heads of this attention.
            hidden_states: The picture, `[samples, image_tokens, width]`.
            encoder_hidden_states: The words, `[samples, length, width]`; None where the picture
                looks at itself alone.
            attention_mask: Boolean `[samples, 1, 1, image_tokens + length]`; None: all count.
        """
        if encoder_hidden_states is None or attention_mask is None:
            return self._unmasked(attn, hidden_states, encoder_hidden_states)
        picture = _projected(
            attn,
            hidden_states,
            layers=(attn.to_q, attn.to_k, attn.to_v),
            norms=(attn.norm_q, attn.norm_k),
        )
        words = _projected(
            attn,
            encoder_hidden_states,
            layers=(attn.add_q_proj, attn.add_k_proj, attn.add_v_proj),
            norms=(attn.norm_added_q, attn.norm_added_k),
        )
        query, key, value = (torch.cat(both, dim=2) for both in zip(picture, words, strict=True))
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask
        )
        attended = attended.transpose(1, 2).flatten(2).to(query.dtype)
        length = hidden_states.shape[1]
        seen, said = attended[:, :length], attended[:, length:]
        return attn.to_out[1](attn.to_out[0](seen)), (
            said if attn.context_pre_only else attn.to_add_out(said)
        )


def _projected(
    attn: Any, states: torch.Tensor, *, layers: tuple[Any, ...], norms: tuple[Any, ...]
) -> tuple[torch.Tensor, ...]:
    """Return query, key and value, `[samples, heads, tokens, head_width]`."""
    query, key, value = (
        layer(states).unflatten(2, (attn.heads, -1)).transpose(1, 2) for layer in layers
    )
    norm_query, norm_key = norms
    return (
        query if norm_query is None else norm_query(query),
        key if norm_key is None else norm_key(key),
        value,
    )
