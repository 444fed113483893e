# SPDX-License-Identifier: Apache-2.0
"""What the registry knows of a base: module shapes, token widths and fingerprints. No weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from tabard_registry.errors import InvalidField, RegistryError
from tabard_registry.refs.digest import Digest, sha256_bytes

FAMILY_OF_WIDTH = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""Width of the text that a family's UNet reads."""
DENOISERS = ("unet", "transformer")
"""What the component is called that takes the noise out; a base has one of them."""
PROFILES_KEPT_MAX = 4
"""For how many profiles a table that is made of one is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleShape:
    """Shape of one module that an adapter may change.

    Attributes:
        kind: `linear` or `conv2d`.
        inputs: Features or channels in.
        outputs: Features or channels out.
        kernel: Height and width of a convolution; (1, 1) for a linear module.
    """

    kind: Literal["linear", "conv2d"]
    inputs: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        sizes = (self.inputs, self.outputs, *self.kernel)
        if self.kind not in ("linear", "conv2d") or min(sizes) < 1 or len(self.kernel) != 2:
            raise _invalid(f"impossible module shape {self!r}")
        if self.kind == "linear" and self.kernel != (1, 1):
            raise _invalid("a linear module has no kernel")

    @property
    def is_pointwise(self) -> bool:
        """Whether the module is one matrix: a linear one or a 1x1 convolution."""
        return self.kernel == (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseProfile:
    """Everything that decides whether an adapter fits a base.

    Module names are diffusers' dotted names; the modules of a CLIP text encoder always carry the
    classic `text_model.` prefix, whatever the installed transformers calls them.

    Attributes:
        family: `sd1`, `sd2`, `sdxl`, `sd3` or `flux`.
        fingerprints: Component to `sha256:…` of its weights.
        modules: Component to module name to shape.
        token_widths: Component to width of its token embedding.
        vectors: Component to parameter name to width: weights and biases of norms, and biases of
            the modules. Empty in a profile that an older Tabard wrote.
        names: What people call the base, like a hub id or the name of its file; informative only.
        prediction: What its UNet predicts, `epsilon` or `v_prediction`; empty: nobody said.
        is_zero_snr: Whether its noise schedule ends in pure noise; None: nobody said.
        native_pixels: Pixels along one side that it was trained at; 0: nobody said.
    """

    family: str
    fingerprints: Mapping[str, str]
    modules: Mapping[str, Mapping[str, ModuleShape]]
    token_widths: Mapping[str, int]
    vectors: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    prediction: str = ""
    is_zero_snr: bool | None = None
    native_pixels: int = 0

    def __post_init__(self) -> None:
        if not self.family:
            raise _invalid("a profile needs a family")
        for text in self.fingerprints.values():
            Digest.parse(text)
        if any(width < 1 for width in self.token_widths.values()):
            raise _invalid("a token embedding has at least one dimension")
        if any(width < 1 for found in self.vectors.values() for width in found.values()):
            raise _invalid("a bias or a norm has at least one number")
        frozen = {name: MappingProxyType(dict(found)) for name, found in self.modules.items()}
        object.__setattr__(self, "fingerprints", MappingProxyType(dict(self.fingerprints)))
        object.__setattr__(self, "modules", MappingProxyType(frozen))
        object.__setattr__(self, "token_widths", MappingProxyType(dict(self.token_widths)))
        vectors = {name: MappingProxyType(dict(found)) for name, found in self.vectors.items()}
        object.__setattr__(self, "vectors", MappingProxyType(vectors))

    def __hash__(self) -> int:
        # Hashing all names would take longer than most tables that are made of them.
        return hash(self.fingerprint)

    @property
    def denoiser(self) -> str:
        """The component that takes the noise out: `unet` or `transformer`; empty without one."""
        return next((name for name in DENOISERS if name in self.modules), "")

    @property
    def fingerprint(self) -> str:
        """`sha256:…` over the family and the components' fingerprints."""
        lines = [self.family, *(f"{k}={v}" for k, v in sorted(self.fingerprints.items()))]
        return str(sha256_bytes("\n".join(lines).encode()))

    def to_json(self) -> str:
        """Write the profile as JSON; `from_json` reads it back to an equal value."""
        modules = {
            component: {
                name: [shape.kind, shape.inputs, shape.outputs, *shape.kernel]
                for name, shape in sorted(found.items())
            }
            for component, found in sorted(self.modules.items())
        }
        document: dict[str, Any] = {
            "family": self.family,
            "fingerprints": dict(self.fingerprints),
            "modules": modules,
            "token_widths": dict(self.token_widths),
        }
        if self.vectors:
            document["vectors"] = {name: dict(found) for name, found in self.vectors.items()}
        if self.names:
            document["names"] = list(self.names)
        if self.prediction:
            document["prediction"] = self.prediction
        if self.is_zero_snr is not None:
            document["zero_snr"] = self.is_zero_snr
        if self.native_pixels:
            document["native_pixels"] = self.native_pixels
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> BaseProfile:
        """Read what `to_json` wrote.

        Raises:
            InvalidField: The text is anything else.
        """
        try:
            document = json.loads(text)
            return cls(
                family=str(document["family"]),
                fingerprints={str(k): str(v) for k, v in document["fingerprints"].items()},
                modules={
                    str(component): {str(name): _shape(row) for name, row in found.items()}
                    for component, found in document["modules"].items()
                },
                token_widths={str(k): int(v) for k, v in document["token_widths"].items()},
                names=tuple(str(name) for name in document.get("names", ())),
                prediction=str(document.get("prediction", "")),
                is_zero_snr=None if (zero := document.get("zero_snr")) is None else bool(zero),
                native_pixels=int(document.get("native_pixels", 0)),
                vectors={
                    str(component): {str(name): int(width) for name, width in found.items()}
                    for component, found in document.get("vectors", {}).items()
                },
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _invalid("not a profile of a base") from error
        except RegistryError as error:
            raise _invalid(f"not a profile of a base: {error}") from error


def _shape(row: Any) -> ModuleShape:
    kind, inputs, outputs, height, width = row
    return ModuleShape(
        kind=kind, inputs=int(inputs), outputs=int(outputs), kernel=(int(height), int(width))
    )


def _invalid(message: str) -> InvalidField:
    return InvalidField(
        message, reason="FIELD_INVALID", hint="Take the profile from a loaded engine."
    )
