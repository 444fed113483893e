# SPDX-License-Identifier: Apache-2.0
"""The model libraries: what of them is served is imported, and what they say is logged.

They import every model and schedule that they know, and what spreads one model over many machines.
None of that is served here, and it takes as long as a base does. Each is put off in a way that the
libraries allow for; asked for later, everything is there. See docs/decisions/0060.
"""

import importlib
import importlib.metadata
import logging
import operator
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tabard_server.startup.late_imports import LateMapping, absent, import_late, replaced

_LIBRARIES = ("transformers", "diffusers")
"""Libraries with handlers of their own for what they log."""
_HARDLY_USED = ("scipy.stats", "scipy.integrate")
"""What model libraries import for a schedule that few choose."""
_COMPILER = "torch._dynamo"
_MARKS = dict.fromkeys(
    ("allow_in_graph", "assume_constant_result", "disable"), "tabard_server.startup.uncompiled"
)
"""What libraries tell the compiler of their functions."""
_TRACED = ("_trace_wrapped_higher_order_op",)
"""What transformers wants of it for its masks."""
_TRANSFORMERS = {
    "AutoImageProcessor": "transformers.models.auto.image_processing_auto",
    "CLIPTextConfig": "transformers.models.clip.configuration_clip",
    "CLIPTextModel": "transformers.models.clip.modeling_clip",
    "CLIPTextModelWithProjection": "transformers.models.clip.modeling_clip",
    "CLIPTokenizer": "transformers.models.clip.tokenization_clip",
    "PreTrainedModel": "transformers.modeling_utils",
}
"""What diffusers and the engine ask of it: to know all that it has, it reads all of its files."""
_FAMILIES = (
    "diffusers.hooks",
    *(f"diffusers.models.{kind}" for kind in ("autoencoders", "controlnets")),
    *(f"diffusers.models.{kind}" for kind in ("transformers", "unets")),
)
"""Packages that import every model, or every way to run one, as soon as one is wanted."""
_SERVED = (
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.models.unets.unet_2d_condition",
    "transformers.models.clip.modeling_clip",
)
"""Models that every base has."""


def import_libraries(*, compiles: bool = False) -> None:
    """Import what is served, and let what the libraries say go where everything is logged.

    Before anything else of them is imported: they speak to standard error as they are.

    Args:
        compiles: Whether this process may compile a model: then the compiler hears of all that
            libraries have to say of their functions.
    """
    # PyTorch gives its logger a handler when it is imported, and has no word to take it away.
    importlib.import_module("torch")
    own = logging.getLogger("torch")
    own.handlers[:] = []
    own.propagate = True
    for name in _HARDLY_USED:
        import_late(name)
    if not compiles:
        import_late(_COMPILER, found_in=_MARKS, submodules=_TRACED)
    with _served_only():
        for name in _LIBRARIES:
            library = importlib.import_module(f"{name}.utils.logging")
            library.disable_default_handler()
            library.enable_propagation()
        for name in _FAMILIES:
            import_late(name)
        for name in _SERVED:
            importlib.import_module(name)


@contextmanager
def _served_only() -> Iterator[None]:
    """Let the libraries find no more than they need; what they found once, they do not ask again.

    Adapters are ours: diffusers has no use for peft. transformers' losses, for which it wants
    scipy, are for training. One server is one machine, with a PyTorch for one, and its base lies
    on one device: nothing spreads it (accelerate). What else is installed is looked up when asked.
    """
    distribution = importlib.import_module("torch.distributed")
    installed = LateMapping(importlib.metadata.packages_distributions)
    with ExitStack() as stack:
        stack.enter_context(replaced(distribution, "is_available", lambda: False))
        stack.enter_context(
            replaced(importlib.metadata, "packages_distributions", lambda: installed)
        )
        import_late("transformers", found_in=_TRANSFORMERS, is_index=True)
        import_late("transformers.models", is_index=True)
        with absent("scipy"), absent("accelerate"):
            found = importlib.import_module("transformers.utils")
            found.is_scipy_available()
            found.is_accelerate_available()
        # It would read all of its files, and return what stands there.
        itself = partial(operator.getitem, sys.modules, "transformers")
        stack.enter_context(replaced(found, "direct_transformers_import", lambda *_: itself()))
        with absent("peft"), absent("accelerate"):
            importlib.import_module("diffusers.utils")
        yield
