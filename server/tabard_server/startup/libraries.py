# SPDX-License-Identifier: Apache-2.0
"""The model libraries: what of them is served is imported, and what they say is logged.

They import every model and schedule that they know, and what spreads one model over many machines.
None of that is served here, and it takes as long as a base does. Each is put off in a way that the
libraries allow for; asked for later, everything is there. See docs/decisions/0060.
"""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tabard_server.startup.late_imports import absent, import_late, replaced

_LIBRARIES = ("transformers", "diffusers")
"""Libraries with handlers of their own for what they log."""
_HARDLY_USED = ("scipy.stats", "scipy.integrate")
"""What model libraries import for a schedule that few choose."""
_FAMILIES = tuple(
    f"diffusers.models.{kind}" for kind in ("autoencoders", "controlnets", "transformers", "unets")
)
"""Packages that import every model of their kind as soon as one is wanted."""
_SERVED = (
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.models.unets.unet_2d_condition",
    "transformers.models.clip.modeling_clip",
)
"""Models that every base has."""


def import_libraries() -> None:
    """Import what is served, and let what the libraries say go where everything is logged.

    Before anything else of them is imported: they speak to standard error as they are.
    """
    # PyTorch gives its logger a handler when it is imported, and has no word to take it away.
    importlib.import_module("torch")
    own = logging.getLogger("torch")
    own.handlers[:] = []
    own.propagate = True
    for name in _HARDLY_USED:
        import_late(name)
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
    scipy, are for training. And one server is one machine, with a PyTorch for one.
    """
    distribution = importlib.import_module("torch.distributed")
    with replaced(distribution, "is_available", lambda: False):
        with absent("scipy"):
            importlib.import_module("transformers.utils").is_scipy_available()
        with absent("peft"):
            importlib.import_module("diffusers.utils")
        yield
