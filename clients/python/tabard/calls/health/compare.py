# SPDX-License-Identifier: Apache-2.0
"""The verb that draws releases side by side: compare.

In: refs, weights, prompts and seeds. Out: what has to be resolved, and then the plan of it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tabard.calls.call import Caller, weighted
from tabard.calls.generation import GENERATE_TIMEOUT_SECONDS
from tabard.calls.health.grid_drawing import GridDrawing, is_grid_file, read_grid_file
from tabard.enums import Priority, PromptSyntax, Sampler
from tabard.errors import FieldViolation, InvalidArgument
from tabard.health.compared import TRIGGER, ComparisonPlan, ComparisonSide
from tabard.health.comparison import AsyncComparison, AsyncStream, Comparison, Stream
from tabard.releases.release import Release
from tabard.routing import split_weight

CELLS_MAX = 1024
"""Most images of one comparison."""
SEEDS = (11, 23, 47, 101)
"""The seeds of every shipped grid: fixed, so that two comparisons show the same noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be compared, before anything is resolved.

    Attributes:
        refs: Without weights.
        weights: Those of each ref.
        prompts: As they were said.
        seeds: Every prompt is drawn with each; left out: the grid's, else 11, 23, 47, 101.
        base: Whether the base draws as well.
        class_word: What stands for `{trigger}` in the base's prompts.
        options: What `generate` takes besides, as far as it was said.
        grid: The name of a grid that says the rest, as the line of the first ref means it; empty:
            none has to be asked for.
        controls: Prompts of a grid that name no trigger.
        class_words: Class words of a grid, by prompt.
    """

    refs: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    base: bool
    class_word: str
    options: Mapping[str, Any]
    grid: str = ""
    controls: frozenset[str] = frozenset()
    class_words: Mapping[str, str] = field(default_factory=dict)

    def along(self, grid: GridDrawing) -> Wish:
        """Give the wish with what a grid says of all that was not said itself.

        Raises:
            InvalidArgument: That is too much, or nothing.
        """
        is_own = not self.prompts
        found = replace(
            self,
            grid="",
            prompts=grid.prompts if is_own else self.prompts,
            controls=grid.controls if is_own else frozenset(),
            class_words=grid.class_words if is_own and not self.class_word else {},
            seeds=self.seeds or grid.seeds,
            options={**grid.options, **self.options},
        )
        _refuse_size(found)
        return found

    def plan(self, releases: Sequence[Release]) -> ComparisonPlan:
        """Give the plan, with the releases that the refs mean.

        Raises:
            InvalidArgument: A prompt does not name the word that a release needs
                (`TRIGGER_MISSING`).
        """
        sides: dict[tuple[str, float | None], ComparisonSide] = {}
        if self.base:
            sides["", None] = ComparisonSide(ref="", word=self.class_word)
        prompts = self.prompts
        if any(one.kind == "textual_inversion" for one in releases):
            # Where its word does not stand it does nothing, and the server draws none of it.
            prompts = tuple(one for one in prompts if one not in self.controls)
        for ref, weights, release in zip(self.refs, self.weights, releases, strict=True):
            _refuse_unwoken(release, prompts)
            for side in _sides(ref, weights, release):
                sides.setdefault((side.digest, side.weight), side)
        return ComparisonPlan(
            sides=tuple(sides.values()),
            prompts=prompts,
            seeds=self.seeds,
            options=self.options,
            class_words=self.class_words,
        )

    def drawn_by(self, stream: Stream, *, releases: Sequence[Release]) -> Comparison:
        """Give the comparison that a client draws. Raises as `plan`."""
        return Comparison(self.plan(releases), stream=stream)

    def drawn_by_async(
        self, stream: AsyncStream, *, releases: Sequence[Release]
    ) -> AsyncComparison:
        """Give the same for asyncio."""
        return AsyncComparison(self.plan(releases), stream=stream)


def compare(
    caller: Caller,
    refs: str | Sequence[str],
    *,
    prompts: str | Sequence[str] = (),
    grid: str | Path = "",
    weights: Sequence[float] = (1.0,),
    seeds: Sequence[int] | None = None,
    base: bool = False,
    class_word: str = "",
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    negative_prompt: str = "",
    width: int | None = None,
    height: int | None = None,
    sampler: Sampler | str = "",
    prompt_syntax: PromptSyntax | None = None,
    priority: Priority | None = None,
    timeout_seconds: float = GENERATE_TIMEOUT_SECONDS,
) -> Wish:
    """Draw releases side by side: every one at every weight, with every prompt and seed.

    What is given back is pinned, and draws nothing before it is iterated over, image by image as
    they are done, or asked for its `result()`. The sides of one prompt and seed are asked for
    together and share batches.

    Args:
        caller: Filled in by the client.
        refs: The releases. One that says its own weight, as `acme/ink:0.7`, is worn at that.
        prompts: What to draw; `{trigger}` stands for each release's first word, a recipe's all.
        grid: Name of a grid, as the line of the first release means it, or path of its JSON
            document. It says what is left out here.
        weights: How strongly the others are worn; a textual inversion has none.
        seeds: Every prompt is drawn with each.
        base: Whether the base draws as well, without any release.
        class_word: What the base draws for `{trigger}`, like `dog`; left out: nothing.
        num_inference_steps: Denoise steps.
        guidance_scale: Classifier-free guidance; 1 or less turns it off.
        negative_prompt: What to keep away from.
        width: Pixels.
        height: Pixels.
        sampler: Short name (`euler_a`) or A1111 spelling (`Euler a`).
        prompt_syntax: `plain` or `a1111`.
        priority: Which of one tenant's jobs go first: `low`, `normal` or `high`.
        timeout_seconds: Deadline of each image.

    Raises:
        InvalidArgument: There is nothing to draw (`COMPARISON_EMPTY`), too much
            (`COMPARISON_TOO_LARGE`), or a prompt does not name a release's word
            (`TRIGGER_MISSING`).
        NotFound: No such release, or no such grid.
        FailedPrecondition: A release is withdrawn.
    """
    del caller
    options = {
        "num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale,
        "negative_prompt": negative_prompt, "width": width, "height": height,
        "sampler": sampler, "prompt_syntax": prompt_syntax, "priority": priority,
        "timeout_seconds": timeout_seconds,
    }  # fmt: skip
    wish = Wish(
        **_worn(refs, weights),
        prompts=tuple(dict.fromkeys((prompts,) if isinstance(prompts, str) else prompts)),
        seeds=_seeds(seeds, has_grid=bool(grid)),
        base=base,
        class_word=class_word,
        options={name: one for name, one in options.items() if one not in (None, "")},
        grid="" if is_grid_file(grid) else str(grid),
    )
    return _checked(wish, grid)


def _worn(refs: str | Sequence[str], weights: Sequence[float]) -> dict[str, Any]:
    said = [split_weight(one.ref) for one in weighted(refs, what="refs")]
    return {
        "refs": tuple(ref for ref, _ in said),
        "weights": tuple((_weight(own),) if own else tuple(weights) for _, own in said),
    }


def _checked(wish: Wish, grid: str | Path) -> Wish:
    """Read the grid of a file; refuse what is too much, unless a server has to be asked first."""
    if grid and is_grid_file(grid):
        return wish.along(read_grid_file(Path(grid)))
    if not grid:
        _refuse_size(wish)
    return wish


def _seeds(said: Sequence[int] | None, *, has_grid: bool) -> tuple[int, ...]:
    if said is None:
        return () if has_grid else SEEDS
    return tuple(dict.fromkeys(said))


def _refuse_unwoken(release: Release, prompts: Sequence[str]) -> None:
    """Refuse prompts in which a word does nothing: the server would draw none of them."""
    if release.kind != "textual_inversion":
        return
    words = (TRIGGER, *release.trigger_words)
    for prompt in prompts:
        if not any(word in prompt for word in words):
            raise _refused(
                "prompts",
                f"the prompt {prompt[:80]!r} does not name the word of {release.adapter}",
                reason="TRIGGER_MISSING",
                hint=f"write {TRIGGER} where the word shall stand",
            )


def _sides(ref: str, weights: tuple[float, ...], release: Release) -> list[ComparisonSide]:
    is_word = release.kind == "textual_inversion"
    worn: tuple[float | None, ...] = (None,) if is_word else tuple(map(float, weights))
    return [
        ComparisonSide(
            ref=ref,
            adapter=release.adapter,
            version=release.version,
            digest=release.digest,
            weight=weight,
            word=", ".join(release.trigger_words[: None if release.kind == "recipe" else 1]),
        )
        for weight in worn
    ]


def _refuse_size(wish: Wish) -> None:
    parts = {
        "refs": wish.refs,
        "weights": min(wish.weights, key=len, default=()),
        "prompts": wish.prompts,
        "seeds": wish.seeds,
    }
    for name, part in parts.items():
        if not part:
            raise _refused(
                name,
                f"a comparison without {name} draws nothing",
                reason="COMPARISON_EMPTY",
                hint="name releases, weights, prompts and seeds, one of each at least",
            )
    sides = sum(map(len, wish.weights)) + wish.base
    cells = sides * len(wish.prompts) * len(wish.seeds)
    if cells > CELLS_MAX:
        raise _refused(
            "prompts",
            f"{sides} sides of {len(wish.prompts)} prompts and {len(wish.seeds)} seeds are "
            f"{cells} images",
            reason="COMPARISON_TOO_LARGE",
            hint=f"compare {CELLS_MAX} at most: fewer weights, prompts or seeds",
        )


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _refused(
            "refs",
            f"the weight {text[:40]!r} is no number",
            reason="INVALID_WEIGHT",
            hint="write acme/ink:0.8",
        ) from error


def _refused(name: str, message: str, *, reason: str, hint: str) -> InvalidArgument:
    violation = FieldViolation(field=name, description=message)
    return InvalidArgument(message, reason=reason, hint=hint, violations=(violation,))
