# SPDX-License-Identifier: Apache-2.0
"""From regions as somebody said them to the parts that a picture is drawn in.

In: the regions of a request, what is worn where, and its masks. Out: the rest and the regions with
their shares; or a violation for each thing that is wrong, which names field, value, and what is
allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tabard_server.admission.regions.areas import draw_boxes, share_out
from tabard_server.engine_port.drawing import Pixels, Size
from tabard_server.engine_port.regions import Region, WantedRegion
from tabard_server.errors import InvalidRequest, Violation, invalid
from tabard_server.jobs.job import Worn
from tabard_server.jobs.words.regions import (
    NAME_CHARS_MAX,
    is_name,
    read_boxes,
    write_boxes,
)

_BOX_HINT = "use shares of the picture, 0 to 1: left before right, top before bottom"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskFile:
    """The mask of a region, as it was read.

    Attributes:
        pixels: `[height, width]`, of the size that is drawn.
        sha256: Of the file as it was sent, in hex.
    """

    pixels: Pixels
    sha256: str


Masks = Mapping[int, MaskFile]
"""The masks of a request, by the place of their region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Area:
    """One region, checked.

    Attributes:
        name: Its name, or its boxes.
        field: The field that it stands in.
        boxes: As text.
        mask: Where it is.
        sha256: Of the mask's file.
        prompt: None: that of the picture.
    """

    name: str
    field: str
    boxes: str
    mask: Pixels
    sha256: str = ""
    prompt: str | None = None


class RegionReader:
    """Reads regions for one base."""

    def __init__(self, *, latent_factor: int, regions_max: int) -> None:
        """Take how many pixels a latent pixel has a side, and how many regions there may be."""
        self._factor = latent_factor
        self._most = regions_max

    def check(self, wanted: Sequence[WantedRegion]) -> list[Violation]:
        """Return what is wrong with regions, whatever is worn there."""
        violations = [*self._count(len(wanted))]
        for index, one in enumerate(wanted):
            is_again = one.name in {other.name for other in wanted[:index]}
            violations += _definition(one, field=f"regions[{index}]", is_again=is_again)
        return violations

    def read(
        self,
        wanted: Sequence[WantedRegion],
        *,
        worn: Sequence[Worn],
        masks: Masks,
        prompt: str,
        words: Mapping[str, str],
        size: Size,
    ) -> tuple[Region, ...]:
        """Return the parts of a picture; nothing: it is one.

        Args:
            wanted: The regions of the request, which `check` found nothing wrong with.
            worn: The stack; its adapters may bring boxes of their own.
            masks: What the files came to.
            prompt: What is drawn everywhere.
            words: What regions say instead, by their fields.
            size: What is drawn.

        Raises:
            InvalidRequest: An adapter names no region, or a region changes or covers nothing
                (`REGION_UNKNOWN`, `REGION_UNUSED`, `REGION_EMPTY`, `REGION_OUT_OF_RANGE`,
                `TOO_MANY_REGIONS`).
        """
        named = [one.name for one in wanted]
        said = dict.fromkeys(_region_of(one) for one in worn if _region_of(one))
        own = [region for region in said if not is_name(region)]
        violations = [
            *self._count(len(wanted) + len(own)),
            *_unknown(worn, named=named),
            *_unused(wanted, said=said),
        ]
        if violations:
            raise InvalidRequest(tuple(violations))
        areas = [
            _wanted_area(one, index=index, masks=masks, words=words, size=size)
            for index, one in enumerate(wanted)
        ]
        areas += [_box_area(region, field="adapters", size=size) for region in own]
        if violations := [*_empty(areas)]:
            raise InvalidRequest(tuple(violations))
        return self._share_out(areas, prompt=prompt)

    def _share_out(self, areas: Sequence[_Area], *, prompt: str) -> tuple[Region, ...]:
        if not areas:
            return ()
        shares, left = share_out([area.mask for area in areas], factor=self._factor)
        rest = () if left is None else (Region(name="", shares=left, prompt=prompt),)
        return rest + tuple(
            Region(
                name=area.name,
                shares=share,
                prompt=prompt if area.prompt is None else area.prompt,
                boxes=area.boxes,
                mask_sha256=area.sha256,
                has_own_prompt=area.prompt is not None,
            )
            for area, share in zip(areas, shares, strict=True)
        )

    def _count(self, regions: int) -> Iterator[Violation]:
        if regions > self._most:
            yield Violation(
                field="regions",
                description=f"{regions} regions in one request, at most {self._most}",
                reason="TOO_MANY_REGIONS",
                hint="let regions share adapters (limits.regions_per_request_max)",
            )


def _definition(one: WantedRegion, *, field: str, is_again: bool) -> Iterator[Violation]:
    """Check the name of a region, and that it says in one way where it is."""
    shown = repr(one.name[:NAME_CHARS_MAX])
    if not is_name(one.name) or len(one.name) > NAME_CHARS_MAX:
        yield Violation(
            field=f"{field}.name",
            description=f"{shown} is no name of a region",
            reason="FIELD_INVALID",
            hint=f"use a letter, then letters, digits, - and _; at most {NAME_CHARS_MAX}",
        )
    elif is_again:
        yield Violation(
            field=f"{field}.name",
            description=f"there are two regions {shown}",
            reason="FIELD_INVALID",
            hint="give each a name of its own; one may have several boxes, with / between them",
        )
    if bool(one.boxes) == (one.mask is not None):
        what = "boxes and a mask" if one.boxes else "neither boxes nor a mask"
        yield Violation(
            field=field,
            description=f"the region {shown} has {what}",
            reason="CONTROL_CONTRADICTED" if one.boxes else "REGION_EMPTY",
            hint="give boxes, like 0,0,0.5,1, or a mask of the size that is drawn",
        )


def _region_of(worn: Worn) -> str:
    return "" if worn.controls is None else worn.controls.region


def _unknown(worn: Sequence[Worn], *, named: Sequence[str]) -> Iterator[Violation]:
    for one in worn:
        region = _region_of(one)
        if is_name(region) and region not in named:
            known = ", ".join(named) or "none"
            yield Violation(
                field="adapters",
                description=f"{one.release.adapter} is worn in {region!r}, which is no region of "
                "the request",
                reason="REGION_UNKNOWN",
                hint=f"its regions: {known}; define it in regions, or write boxes, like "
                "region=0,0,0.5,1",
            )


def _unused(wanted: Sequence[WantedRegion], *, said: Mapping[str, object]) -> Iterator[Violation]:
    for index, one in enumerate(wanted):
        if one.prompt is None and one.name not in said:
            yield Violation(
                field=f"regions[{index}]",
                description=f"nothing is worn in the region {one.name!r}, and it has no prompt",
                reason="REGION_UNUSED",
                hint=f"write region={one.name} behind an adapter, give the region a prompt, or "
                "leave it out",
            )


def _wanted_area(
    one: WantedRegion, *, index: int, masks: Masks, words: Mapping[str, str], size: Size
) -> _Area:
    field = f"regions[{index}]"
    prompt = words.get(f"{field}.prompt")
    if one.mask is None:
        boxed = _box_area(one.boxes, field=f"{field}.boxes", size=size)
        return _Area(name=one.name, field=field, boxes=boxed.boxes, mask=boxed.mask, prompt=prompt)
    file = masks[index]
    return _Area(
        name=one.name,
        field=f"{field}.mask",
        boxes="",
        mask=file.pixels,
        sha256=file.sha256,
        prompt=prompt,
    )


def _box_area(text: str, *, field: str, size: Size) -> _Area:
    boxes = read_boxes(text, place_of=field)
    for box in boxes:
        is_ordered = box.left < box.right and box.top < box.bottom
        if not (is_ordered and all(0.0 <= side <= 1.0 for side in box)):
            raise invalid(
                field,
                f"the box {write_boxes((box,))} is not in the picture",
                reason="REGION_OUT_OF_RANGE",
                hint=_BOX_HINT,
            )
    spelled = write_boxes(boxes)
    return _Area(name=spelled, field=field, boxes=spelled, mask=draw_boxes(boxes, size=size))


def _empty(areas: Sequence[_Area]) -> Iterator[Violation]:
    for area in areas:
        if not area.mask.any():
            yield Violation(
                field=area.field,
                description=f"the region {area.name[:60]!r} covers nothing",
                reason="REGION_EMPTY",
                hint="make it larger; in a mask, white is the region",
            )
