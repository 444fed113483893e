# SPDX-License-Identifier: Apache-2.0
"""What the players do next: seeded choices from what the registry holds now.

In: dice and the model. Out: actions, plain values. One seed is one script, however long each
action takes, as long as the same acts succeed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tabard_server.engine_port.weights.strength import Controls, Point
from tests.interleavings.adapter_files import KINDS
from tests.interleavings.model import CHANNELS, Item, Line, Model, Ref
from tests.interleavings.regions import NAMES

PROMPTS = ("a red circle", "a blue star on white", "two green squares")
SIZES = ((16, 16), (16, 16), (16, 16), (24, 16), (32, 32))
STACKS = (0, 1, 1, 1, 2, 2, 3)
CONTROLS: tuple[tuple[str, Controls | None], ...] = (
    *(("", None),) * 6,
    (":te=0.2", Controls(text_encoder=0.2)),
    (":unet=0.7:end=0.5", Controls(unet=(Point(0.7, 0.0),), end=0.5)),
    (":unet=0.2@0,1@0.6", Controls(unet=(Point(0.2, 0.0), Point(1.0, 0.6)))),
    (":region=left", Controls(region="left")),
    (":region=fading:te=0.5", Controls(region="fading", text_encoder=0.5)),
    (":region=0.25,0,1,0.75", Controls(region="0.25,0,1,0.75")),
)
"""What may stand behind a weight, and what it means; every window holds the first step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What of a script its base decides.

    Attributes:
        samplers: What it can be walked with.
        noisy: One of them that draws noise at every step.
        blocks: Three of its blocks.
    """

    samplers: tuple[str, ...]
    noisy: str
    blocks: tuple[str, str, str]

    @property
    def controls(self) -> tuple[tuple[str, Controls | None], ...]:
        """All that may stand behind a weight here."""
        first, middle, last = self.blocks
        weighed = ((first, 0.0), (middle, 1.5), (last, -0.5))
        within = Controls(end=0.5, region="spots", blocks=((middle, 0.0),))
        return (
            *CONTROLS,
            (f":{first}=0:{middle}=1.5:{last}=-0.5", Controls(blocks=weighed)),
            (f":end=0.5:region=spots:{middle}=0", within),
        )


GROUNDS: Mapping[str, Ground] = {
    "sd1": Ground(
        samplers=(
            *("ddim", "euler", "euler_a", "lcm", "heun", "dpmpp_2m", "dpmpp_2m_sde", "unipc"),
            *("lms", "pndm", "dpm2_a_karras"),
        ),
        noisy="euler_a",
        blocks=("IN01", "MID", "OUT03"),
    ),
    "sd3": Ground(
        samplers=("euler", "lcm", "heun", "dpmpp_2m", "dpmpp_2m_sde", "unipc", "euler_karras"),
        noisy="dpmpp_2m_sde",
        blocks=("D00", "D01", "D02"),
    ),
}
"""By the family of the base."""
REGION_PROMPTS = (*((),) * 7, (("left", "a blue star"),), (("fading", "two green squares"),))
"""Regions with prompts of their own; they are there whether an adapter names them or not."""
ITEMS_RECENT = 6
FAVOURITES_MAX = 40
DRAW_SHARE = 0.62
ACTS = {
    "publish": 5,
    "publish_recipe": 1,
    "promote": 12,
    "roll_back": 8,
    "quarantine": 2,
    "lift": 10,
    "evict_host": 6,
    "evict_slots": 6,
    "warm": 5,
}
"""What else they do, and how often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A request, and how its caller behaves.

    Attributes:
        leaves_after: Events after which the caller is gone; None: stays to the end.
        timeout_seconds: The deadline that it sets itself; None: a generous one.
        region_prompts: Regions with prompts of their own.
    """

    prompt: str
    negative_prompt: str
    refs: tuple[Ref, ...]
    seed: int
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    images: int = 1
    is_deterministic: bool = False
    preview_every: int = 0
    leaves_after: int | None = None
    timeout_seconds: float | None = None
    region_prompts: tuple[tuple[str, str], ...] = ()

    @property
    def named_regions(self) -> tuple[str, ...]:
        """The regions that the request defines: those that adapters name, or that have prompts."""
        said = {ref.controls.region for ref in self.refs if ref.controls}
        said |= {name for name, _ in self.region_prompts}
        return tuple(name for name in NAMES if name in said)

    @property
    def parts(self) -> tuple[str, ...]:
        """Its regions, and the boxes that adapters bring."""
        boxes = (ref.controls.region for ref in self.refs if ref.controls)
        own = dict.fromkeys(box for box in boxes if box and box not in NAMES)
        return (*self.named_regions, *own)

    def __str__(self) -> str:
        said = [f"{self.prompt!r} {' '.join(map(str, self.refs)) or 'bare'} {self.sampler}"]
        said.append(f"{self.width}x{self.height} steps {self.steps} seed {self.seed}")
        said.extend([f"regions {' '.join(self.parts)}"] if self.parts else [])
        said.extend(["deterministic"] if self.is_deterministic else [])
        said.extend([f"leaves after {self.leaves_after}"] if self.leaves_after is not None else [])
        said.extend([f"within {self.timeout_seconds:.3f} s"] if self.timeout_seconds else [])
        return ", ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Anything but a request: its name in `ACTS`, and what it is done to."""

    name: str
    line: Line | None = None
    item: Item | None = None
    channel: str = ""
    seed: int = 0
    members: tuple[tuple[Item, float], ...] = ()

    def __str__(self) -> str:
        told = (self.line.name if self.line else "", self.channel)
        item = f"{self.item.line}@{self.item.version}" if self.item else ""
        return " ".join(word for word in (self.name, *told, item) if word)


@dataclass(slots=True, kw_only=True)
class Script:
    """Chooses actions."""

    dice: random.Random
    model: Model
    ground: Ground
    _promised: list[Act] = field(default_factory=list)
    _favourites: deque[Draw] = field(default_factory=lambda: deque(maxlen=FAVOURITES_MAX))

    def next(self) -> Act | tuple[Draw, ...]:
        """Choose an act, or requests that go out together."""
        if self._promised:
            return self._promised.pop()
        if self.dice.random() < DRAW_SHARE:
            return self._burst() if self.dice.random() < 0.15 else (self.draw(),)
        name = self.dice.choices(tuple(ACTS), weights=tuple(ACTS.values()))[0]
        return self._act(name) or (self.draw(),)

    def draw(self) -> Draw:
        """Choose a request; a deterministic one may be one from before, told by digests."""
        if self._favourites and self.dice.random() < 0.12:
            return self.dice.choice(self._favourites)
        drawn = self._compose()
        return self._temper(drawn)

    def favourites(self) -> tuple[Draw, ...]:
        """The deterministic requests that are asked again and again."""
        return tuple(self._favourites)

    def _compose(self) -> Draw:
        dice = self.dice
        lines = dice.sample(sorted(self.model.lines), dice.choice(STACKS))
        refs = tuple(self._ref(self.model.lines[name]) for name in lines)
        width, height = dice.choice(SIZES)
        return Draw(
            prompt=dice.choice(PROMPTS) + self._tokens(refs),
            negative_prompt=dice.choice(("", "yellow")),
            refs=refs,
            seed=dice.randint(0, 99),
            steps=dice.choice((1, 2, 2, 3)),
            guidance_scale=dice.choice((1.0, 3.0, 5.0)),
            width=width,
            height=height,
            sampler=dice.choice(self.ground.samplers),
            images=dice.choice((1, 1, 1, 2)),
            preview_every=dice.choice((0, 0, 0, 1)),
            region_prompts=dice.choice(REGION_PROMPTS),
        )

    def _temper(self, drawn: Draw) -> Draw:
        roll = self.dice.random()
        if roll < 0.15:
            pinned = tuple(self._pinned(ref) for ref in drawn.refs)
            drawn = replace(drawn, refs=pinned, is_deterministic=True, preview_every=0)
            self._favourites.append(drawn)
        elif roll < 0.30:
            drawn = replace(drawn, leaves_after=self.dice.choice((0, 1, 1, 2, 3)))
        elif roll < 0.36:
            drawn = replace(drawn, timeout_seconds=self.dice.choice((0.01, 0.05, 0.2)))
        return drawn

    def _burst(self) -> tuple[Draw, ...]:
        """Requests that differ in little, and the move of a channel that most of them name."""
        drawn = self._compose()
        dice = self.dice
        if drawn.refs:
            line = self.model.lines[dice.choice(drawn.refs).line]
            item = self._recent(line)
            self._promised.append(Act(name="promote", line=line, item=item, channel="stable"))
        return tuple(
            replace(
                drawn,
                seed=dice.choice((drawn.seed, dice.randint(0, 99))),
                refs=tuple(self._ref(self.model.lines[ref.line]) for ref in drawn.refs),
            )
            for _ in range(dice.randint(2, 5))
        )

    def _ref(self, line: Line) -> Ref:
        weight = self.dice.choice(_weights(line))
        roll = self.dice.random()
        said, controls = (
            ("", None) if line.kind == "word" else self.dice.choice(self.ground.controls)
        )
        item = None if roll < 0.6 else self._recent(line)
        if item is None:
            selector = self.dice.choice(("", "@stable", "@canary"))
        else:
            selector = f"@{item.version}" if roll < 0.8 else f"@{item.digest}"
        return Ref(
            line=line.name,
            selector=selector,
            weight=weight,
            item=item,
            said=said,
            controls=controls,
        )

    def _pinned(self, ref: Ref) -> Ref:
        item = ref.item or self._recent(self.model.lines[ref.line])
        return replace(ref, selector=f"@{item.digest}", item=item)

    def _tokens(self, refs: tuple[Ref, ...]) -> str:
        lines = [self.model.lines[ref.line] for ref in refs]
        found = dict.fromkeys(line.token for line in lines if line.token)
        return "".join(f" {token}" for token in found)

    def _recent(self, line: Line) -> Item:
        return self.dice.choice(line.items[-ITEMS_RECENT:])

    def _act(self, name: str) -> Act | None:
        """Choose whom an act is done to; None when there is nobody."""
        if name == "publish_recipe":
            return self._recipe()
        line = self.model.lines[self.dice.choice(sorted(self.model.lines))]
        channel, seed = self.dice.choice(CHANNELS), self.dice.getrandbits(32)
        withdrawn = [one for one in line.items if self.model.is_quarantined(one)]
        item = self._recent(line)
        is_possible = {
            "publish": line.kind != "recipe",
            "roll_back": line.pointer(channel) is not None,
            "quarantine": item not in withdrawn,
            "lift": bool(withdrawn),
        }
        if not is_possible.get(name, True):
            return None
        if name == "lift":
            item = self.dice.choice(withdrawn)
        return Act(name=name, line=line, item=item, channel=channel, seed=seed)

    def _recipe(self) -> Act | None:
        plain = [name for name, line in self.model.lines.items() if line.kind in _COMBINED]
        names = self.dice.sample(sorted(plain), 2)
        lines = [self.model.lines[name] for name in names]
        items = [self._recent(line) for line in lines]
        if any(map(self.model.is_quarantined, items)):
            return None
        recipes = [line for line in self.model.lines.values() if line.kind == "recipe"]
        weights = [self.dice.choice((0.5, 1.0)) for _ in items]
        members = tuple(zip(items, weights, strict=True))
        return Act(name="publish_recipe", line=self.dice.choice(recipes), members=members)


_COMBINED = ("lora", "text", "convolutions", "dora", "kohya", "tucker")


def _weights(line: Line) -> tuple[float, ...]:
    return KINDS[line.kind].weights if line.kind in KINDS else (1.0, 0.5)
