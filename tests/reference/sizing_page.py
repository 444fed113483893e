# SPDX-License-Identifier: Apache-2.0
"""docs/sizing.md: what each family takes of disk and memory, as the planner of a start says it.

The published configurations are built without weights, and the server's own plan is made for them.
Nothing here is measured, and the page says so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from diffusers import AutoencoderKL

from tabard_server.engine.base.loading import Base, TextPart
from tabard_server.engine.base.text_layout import CLIP, CLIP_JOINED, FLUX, SD3, TextLayout
from tabard_server.engine.measures.dry_run import DryRuns, walk_through
from tabard_server.engine.measures.memory_plan import plan_memory
from tabard_server.engine.networks.flux import FluxTransformer
from tabard_server.engine.networks.precision import Precision
from tabard_server.engine.networks.sd3 import SD3Transformer
from tabard_server.engine.networks.unet import UNet
from tabard_server.engine_port.memory import MemoryPlan
from tabard_server.limits import Limits
from tabard_server.settings import Settings
from tests.bench import full_size
from tests.golden.full_size import transformers
from tests.golden.full_size.models import FAMILIES, build

NAME = "sizing.md"

TITLES = {
    "sd1": "Stable Diffusion 1.5",
    "sd2": "Stable Diffusion 2.1",
    "sdxl": "SDXL 1.0",
    "sd3_medium": "Stable Diffusion 3.5 medium",
    "sd3_large": "Stable Diffusion 3.5 large",
    "flux": "Flux.1 dev",
}
_FLOW_VAE = {
    **full_size.VAE,
    "latent_channels": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
"""That of the transformers."""
_STORAGES = (("bfloat16", None), ("float8", torch.float8_e4m3fn))
_RANK = 16
_WAYS = (
    ("GPU, float16", "cuda", torch.float16),
    ("CPU, float32", "cpu", torch.float32),
)
_GIBIBYTE = 1 << 30

_HEAD = """\
# What a server takes

Written from the code by `make reference`; a test holds it current. **Planned, not measured**: this
is the server's own plan of memory ([0023](decisions/0023-the-memory-plan-is-measured.md)), made for
the published configurations without their weights. A start measures its passes and plans again;
`tabard status` and the event `engine.planned` tell what came of it. GiB throughout.

## Memory of the device

With the settings as they are: slots of {ranks} rank rows, images of the base's own size. *Step* is
what a forward pass keeps alive, on a GPU with an image that is decoded beside it; the totals in
bold are at most. Slots take theirs as adapters come that change a layer. *Packed* are weights once
more, as a CPU's kernels read them, twice with the merged copy, and *texts* encoded prompts; each
takes at most half of what the rest leaves.
"""
_COLUMNS = (
    "base",
    "on",
    "weights",
    "slots",
    "gathered",
    "packed",
    "texts",
    "step of 8 rows",
    "**8 rows**",
    "**8 rows, merged copy**",
    "**1 row**",
)
_TRANSFORMERS = """
**Transformers, on a GPU**, computed in bfloat16, images of 1024x1024. *Kept in* is `storage_dtype`:
what most weights of the transformer take, and the merged copy is in bfloat16 all the same. *Rank
{rank}* is what one adapter of that rank takes of the slots if it changes every layer of transformer
and text encoders. *Texts away* is with the text encoders in host memory between uses, which a start
chooses only where nothing else fits. Flux.1 schnell is Flux.1 dev but for a few layers, and SD3.5
large turbo is SD3.5 large.
"""
_TRANSFORMER_COLUMNS = (
    "base",
    "kept in",
    "weights",
    "transformer",
    "text encoders",
    "slots",
    f"rank {_RANK}",
    "**1 row, texts away**",
    "**1 row**",
    "**8 rows**",
    "**8 rows, merged copy**",
)
_REST = """
Where less is free a start chooses fewer rows, and leaves the merged copy out
(`limits.rows_per_step_max`, `merged_copy`); it is refused only where one row does not fit. Fewer
rank rows (`slot_rank_total`) make the slots smaller in proportion. Python, torch and CUDA take some
for themselves on top of this.

## Memory of the host

| what | at most | setting |
|---|---|---|
| adapters in memory | {host} | `limits.host_bytes_max` |
| finished images that callers have not taken | {outbox} | `limits.outbox_bytes_max` |
| the base while it is read, in float32 | {float32} | |

## Disk

| what | takes |
|---|---|
| a base in float16, as files | {disk} |
| adapters of a remote registry in the cache folder | at most {cache}, `limits.disk_bytes_max` |
| a release in the registry | its original files, and a canonical form of about their size |
| the environment | about 1 with PyTorch's CPU build, about 6 with the CUDA build |
"""


def written() -> str:
    """Return the page."""
    return "\n".join(
        [
            _HEAD.format(ranks=Settings().slot_rank_total),
            f"| {' | '.join(_COLUMNS)} |",
            "|" + "---|" * len(_COLUMNS),
            *(line for family in FAMILIES for line in lines_of(family)),
            _TRANSFORMERS.format(rank=_RANK),
            f"| {' | '.join(_TRANSFORMER_COLUMNS)} |",
            "|" + "---|" * len(_TRANSFORMER_COLUMNS),
            *(line for model in transformers.MODELS for line in lines_of_transformer(model)),
            _REST.format(
                host=_gibibytes(Limits().host_bytes_max),
                outbox=_gibibytes(Limits().outbox_bytes_max),
                cache=_gibibytes(Limits().disk_bytes_max),
                float32=_by_family("cpu", torch.float32),
                disk=_by_family("cuda", torch.float16),
            ),
        ]
    )


def lines_of(family: str) -> Iterator[str]:
    """Yield the lines of one family."""
    for title, device, dtype in _WAYS:
        one = _plan(family, device=device, dtype=dtype, rows=1, has_copy=False)
        many = _plan(family, device=device, dtype=dtype, rows=8, has_copy=False)
        copied = _plan(family, device=device, dtype=dtype, rows=8, has_copy=True)
        parts = (
            many.base,
            many.slots,
            many.gathered,
            many.packed,
            many.texts,
            many.activations + many.beside,
        )
        totals = (many.total, copied.total, one.total)
        cells = [*map(_gibibytes, parts), *(f"**{_gibibytes(one)}**" for one in totals)]
        yield f"| {TITLES[family]} | {title} | {' | '.join(cells)} |"


def lines_of_transformer(model: str) -> Iterator[str]:
    """Yield the lines of one transformer."""
    for title, storage in _STORAGES:
        said: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16, "storage": storage}
        one = _plan(model, rows=1, has_copy=False, **said)
        many = _plan(model, rows=8, has_copy=False, **said)
        copied = _plan(model, rows=8, has_copy=True, **said)
        deeper = _plan(
            model, rows=1, has_copy=False, rank_rows=Settings().slot_rank_total + _RANK, **said
        )
        texts = sum(one.texts_movable)
        base, _ = _walked(model)
        vae = _values_of(base.vae) * torch.bfloat16.itemsize
        parts = (one.base, one.base - texts - vae, texts, one.slots)
        adapter = f"{(deeper.slots - one.slots) / _GIBIBYTE:.2f}"
        totals = (one.shelving().total, one.total, many.total, copied.total)
        cells = [*map(_gibibytes, parts), adapter, *(f"**{_gibibytes(one)}**" for one in totals)]
        yield f"| {TITLES[model]} | {title} | {' | '.join(cells)} |"


def _values_of(model: torch.nn.Module) -> int:
    return sum(one.numel() for one in (*model.parameters(), *model.buffers()))


def _by_family(device: str, dtype: torch.dtype) -> str:
    plans = {
        family: _plan(family, device=device, dtype=dtype, rows=1, has_copy=False)
        for family in FAMILIES
    }
    return ", ".join(f"{TITLES[family]} {_gibibytes(plans[family].base)}" for family in FAMILIES)


def _plan(
    family: str,
    *,
    device: str,
    dtype: torch.dtype,
    rows: int,
    has_copy: bool,
    storage: torch.dtype | None = None,
    rank_rows: int | None = None,
) -> MemoryPlan:
    base, walked = _walked(family)
    return plan_memory(
        replace(base, precision=Precision(dtype, storage)),
        walked=walked,
        dtype=dtype,
        slot_rank_total=rank_rows or Settings().slot_rank_total,
        rows_per_step_max=rows,
        can_merge=has_copy,
        device=torch.device(device),
        free_bytes=None,
    )


@cache
def _walked(model: str) -> tuple[Base, DryRuns]:
    is_transformer = model in transformers.MODELS
    models = transformers.build(model) if is_transformer else build(model)
    with torch.device("meta"):
        vae = AutoencoderKL(**(_FLOW_VAE if is_transformer else full_size.VAE))
    texts = tuple(
        TextPart(component=component, model=built, tokenizer=None)
        for component, built in models.items()
        if component.startswith("text_encoder")
    )
    family = transformers.family_of(model)
    make_network, component, layout = _NETWORKS[family]
    base = Base(
        family=family,
        source=model,
        text_parts=texts,
        network=make_network(models[component].eval()),
        vae=vae.eval(),
        scheduler_config={},
        latent_factor=8,
        is_empty_zero=False,
        text_layout=layout,
    )
    return base, walk_through(base)


_NETWORKS: Mapping[str, tuple[Callable[[Any], Any], str, TextLayout]] = {
    "sd1": (UNet, "unet", CLIP),
    "sd2": (UNet, "unet", CLIP),
    "sdxl": (UNet, "unet", CLIP_JOINED),
    "sd3": (SD3Transformer, "transformer", SD3),
    "flux": (FluxTransformer, "transformer", FLUX),
}


def _gibibytes(size: int) -> str:
    return f"{size / _GIBIBYTE:.1f}"
