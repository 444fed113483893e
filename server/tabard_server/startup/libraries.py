# SPDX-License-Identifier: Apache-2.0
"""The model libraries: what of them is served is imported, and what they say is logged.

They import every model and schedule that they know, PyTorch's compiler, and what spreads one model
over many machines. None of that is served here, and it takes longer than a base does. Each is put
off in a way that the libraries allow for; asked for later, everything is there. See
docs/decisions/0060.
"""

import importlib
import logging
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from tabard_server.startup.late_imports import absent, import_late, replaced

_LIBRARIES = ("transformers", "diffusers")
"""Libraries with handlers of their own for what they log."""
_HARDLY_USED = ("scipy.stats", "scipy.integrate", "boto3")
"""What model libraries import for a schedule that few choose, and for a cloud."""
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


def import_libraries(*, is_compiled: bool) -> None:
    """Import what is served, and let what the libraries say go where everything is logged.

    Before anything else of them is imported: they speak to standard error as they are.

    Args:
        is_compiled: Whether models will run as compiled graphs; what compiling needs is imported.
    """
    # PyTorch gives its logger a handler when it is imported, and has no word to take it away.
    importlib.import_module("torch")
    own = logging.getLogger("torch")
    own.handlers[:] = []
    own.propagate = True
    for name in _HARDLY_USED:
        import_late(name)
    if not is_compiled:
        import_late("torch._dynamo", **_UNCOMPILED)
        # Shapes are numbers here, and what is checked of them is known.
        import_late("sympy", Basic=type("Basic", (), {}))
        shapes = "torch.fx.experimental.symbolic_shapes"
        import_late(shapes, after="torch._dynamo", **_PLAIN_SHAPES)
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


def _unmarked(function: Callable[..., Any] | None = None, *_how: Any, **_why: Any) -> Any:
    """Mark a function for the compiler, or a decorator: nobody compiles it."""
    return (lambda decorated: decorated) if function is None else function


_UNCOMPILED: Mapping[str, Any] = {
    "allow_in_graph": _unmarked,
    "assume_constant_result": _unmarked,
    "disable": _unmarked,
    "is_compiling": lambda: False,
    "eval_frame": SimpleNamespace(OptimizedModule=type("OptimizedModule", (), {})),
}
"""What libraries ask of PyTorch's compiler, and hear where nothing is compiled."""
_PLAIN_SHAPES: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("expect_true", "guard_or_false", "guard_or_true"), bool),
    **dict.fromkeys(("guard_size_oblivious", "statically_known_true"), bool),
    **dict.fromkeys(("guard_int", "guarding_hint_or_throw"), lambda number: number),
    "has_guarding_hint": lambda _number: True,
    "is_nested_int": lambda _number: False,
    "sym_and": lambda *conditions: all(conditions),
    "sym_or": lambda *conditions: any(conditions),
    "sym_eq": operator.eq,
}
"""What PyTorch asks of shapes that may be expressions, and hears of numbers."""
