# SPDX-License-Identifier: Apache-2.0
"""What is done to a picture before a model sees it: resized, cropped, normalised. No torch.

In: the `preprocessor_config.json` beside a model, and pictures. Out: arrays as the image processors
of `transformers` make them, by Pillow.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from tabard_registry.release.manifest import canonical_json
from tabard_server.judgement.pictures.encoder import Picture

Planes = npt.NDArray[np.float32]
"""Channels x height x width."""
SIDE_MAX = 1_024
"""No encoder looks more closely; a larger side is a mistake."""
_RESAMPLING_MAX = 5
_CHANNELS = 3
_SWITCHES = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
_FOREIGN = ("do_pad", "do_flip_channel_order", "do_center_crop_ratio", "crop_pct")
"""Entries of other processors that would change what a model sees."""


class NotPreprocessable(ValueError):
    """The configuration asks for what is not known here; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How pictures are made ready.

    Attributes:
        shortest_edge: The shorter side is brought to it; 0: `size` counts.
        size: Height and width that a picture is brought to; (0, 0): it stays as it is.
        resampling: Pillow's number of the filter.
        crop: Height and width that are cut out of its middle; (0, 0): all of it.
        factor: What values are multiplied by.
        mean: Taken from each channel then.
        deviation: What each channel is divided by then.
    """

    shortest_edge: int = 0
    size: tuple[int, int] = (0, 0)
    resampling: int = int(Image.Resampling.BICUBIC)
    crop: tuple[int, int] = (0, 0)
    factor: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    deviation: tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        sides = (self.shortest_edge, *self.size, *self.crop)
        if any(not 0 <= side <= SIDE_MAX for side in sides):
            raise NotPreprocessable(f"a side is not between 1 and {SIDE_MAX}: {sides}")
        if not 0 <= self.resampling <= _RESAMPLING_MAX:
            raise NotPreprocessable(f"resample is {self.resampling}")
        if len(self.mean) != _CHANNELS or len(self.deviation) != _CHANNELS:
            raise NotPreprocessable("image_mean and image_std are not of three channels")
        values = np.array([self.factor, *self.mean, *self.deviation])
        if not np.isfinite(values).all() or min(self.deviation) <= 0 or self.factor <= 0:
            raise NotPreprocessable("rescale_factor, image_mean or image_std cannot be")
        resized = (self.shortest_edge,) * 2 if self.shortest_edge else self.size
        if any(cut > side for cut, side in zip(self.crop, resized, strict=True) if side):
            raise NotPreprocessable(f"crop_size {self.crop} is larger than the size {resized}")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Read the configuration of an image processor of `transformers`.

        Raises:
            NotPreprocessable: It asks for what is not known here.
        """
        for name in _FOREIGN:
            if config.get(name):
                raise NotPreprocessable(f"it asks for {name}")
        does = {name: bool(config.get(name, True)) for name in _SWITCHES}
        try:
            edge, size = _size(config.get("size", 224)) if does["do_resize"] else (0, (0, 0))
            return cls(
                shortest_edge=edge,
                size=size,
                resampling=int(config.get("resample", Image.Resampling.BICUBIC)),
                crop=_rectangle(config.get("crop_size", 224)) if does["do_center_crop"] else (0, 0),
                factor=float(config.get("rescale_factor", 1 / 255)) if does["do_rescale"] else 1.0,
                mean=tuple(map(float, config["image_mean"]))
                if does["do_normalize"]
                else (0.0, 0.0, 0.0),
                deviation=tuple(map(float, config["image_std"]))
                if does["do_normalize"]
                else (1.0, 1.0, 1.0),
            )
        except (KeyError, TypeError) as error:
            raise NotPreprocessable(f"an entry is missing or no number: {error}") from error

    def apply(self, picture: Picture) -> Planes:
        """Make a picture ready."""
        image = Image.fromarray(picture)
        height, width = self._resized(picture.shape[0], picture.shape[1])
        if (width, height) != image.size:
            image = image.resize((width, height), resample=Image.Resampling(self.resampling))
        if any(self.crop):
            image = _cut(image, height=self.crop[0], width=self.crop[1])
        values = np.asarray(image, dtype=np.float32) * np.float32(self.factor)
        mean, deviation = (np.array(one, dtype=np.float32) for one in (self.mean, self.deviation))
        normal = (values - mean) / deviation
        return np.ascontiguousarray(np.moveaxis(normal, -1, 0), dtype=np.float32)

    @property
    def key(self) -> bytes:
        """Bytes that are the same wherever pictures are made ready alike."""
        return canonical_json(asdict(self))

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if any(self.size):
            return self.size
        if not self.shortest_edge:
            return height, width
        longest = int(self.shortest_edge * max(height, width) / min(height, width))
        return (longest, self.shortest_edge) if height > width else (self.shortest_edge, longest)


AS_SSCD = Preprocessing(
    shortest_edge=288,
    resampling=int(Image.Resampling.BILINEAR),
    mean=(0.485, 0.456, 0.406),
    deviation=(0.229, 0.224, 0.225),
)
"""For a TorchScript file with no configuration beside it: as SSCD was trained."""


def _size(said: Any) -> tuple[int, tuple[int, int]]:
    if isinstance(said, Mapping) and set(said) == {"shortest_edge"}:
        return int(said["shortest_edge"]), (0, 0)
    if isinstance(said, int):
        return said, (0, 0)
    return 0, _rectangle(said)


def _rectangle(said: Any) -> tuple[int, int]:
    if isinstance(said, int):
        return said, said
    if isinstance(said, Mapping) and {"height", "width"} <= set(said):
        return int(said["height"]), int(said["width"])
    raise NotPreprocessable(f"the size {said!r} is neither a side, nor a height and a width")


def _cut(image: Image.Image, *, height: int, width: int) -> Image.Image:
    top, left = (image.height - height) // 2, (image.width - width) // 2
    return image.crop((left, top, left + width, top + height))
