# SPDX-License-Identifier: Apache-2.0
"""The verb that draws releases side by side: compare.

In: refs, weights, prompts and seeds. Out: what has to be resolved, and then the plan of it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabard.calls.call import Caller, weighted
from tabard.calls.generation import GENERATE_TIMEOUT_SECONDS, split_weight
from tabard.enums import Priority, PromptSyntax, Sampler
from tabard.errors import FieldViolation, InvalidArgument
from tabard.health.compared import TRIGGER, ComparisonPlan, ComparisonSide
from tabard.health.comparison import AsyncComparison, AsyncStream, Comparison, Stream
from tabard.releases.release import Release

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
        seeds: Every prompt is drawn with each.
        base: Whether the base draws as well.
        class_word: What stands for `{trigger}` in the base's prompts.
        options: What `generate` takes besides.
    """

    refs: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    base: bool
    class_word: str
    options: Mapping[str, Any]

    def plan(self, releases: Sequence[Release]) -> ComparisonPlan:
        """Give the plan, with the releases that the refs mean.

        Raises:
            InvalidArgument: A prompt does not name the word that a release needs
                (`TRIGGER_MISSING`).
        """
        sides: dict[tuple[str, float | None], ComparisonSide] = {}
        if self.base:
            sides["", None] = ComparisonSide(ref="", word=self.class_word)
        for ref, weights, release in zip(self.refs, self.weights, releases, strict=True):
            self._refuse_unwoken(release)
            for side in _sides(ref, weights, release):
                sides.setdefault((side.digest, side.weight), side)
        return ComparisonPlan(
            sides=tuple(sides.values()),
            prompts=self.prompts,
            seeds=self.seeds,
            options=self.options,
        )

    def drawn_by(self, stream: Stream, *, releases: Sequence[Release]) -> Comparison:
        """Give the comparison that a client draws. Raises as `plan`."""
        return Comparison(self.plan(releases), stream=stream)

    def drawn_by_async(
        self, stream: AsyncStream, *, releases: Sequence[Release]
    ) -> AsyncComparison:
        """Give the same for asyncio."""
        return AsyncComparison(self.plan(releases), stream=stream)

    def _refuse_unwoken(self, release: Release) -> None:
        """Refuse prompts in which a word does nothing: the server would draw none of them."""
        if release.kind != "textual_inversion":
            return
        words = (TRIGGER, *release.trigger_words)
        for prompt in self.prompts:
            if not any(word in prompt for word in words):
                raise _refused(
                    "prompts",
                    f"the prompt {prompt[:80]!r} does not name the word of {release.adapter}",
                    reason="TRIGGER_MISSING",
                    hint=f"write {TRIGGER} where the word shall stand",
                )


def compare(
    caller: Caller,
    refs: str | Sequence[str],
    *,
    prompts: str | Sequence[str],
    weights: Sequence[float] = (1.0,),
    seeds: Sequence[int] = SEEDS,
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
        prompts: What to draw; `{trigger}` stands for each release's own first trigger word, of a
            recipe for all of its words.
        weights: How strongly the others are worn. A textual inversion has no weight, and is one
            side.
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
        NotFound: No such release.
        FailedPrecondition: A release is withdrawn.
    """
    del caller
    said = [split_weight(one.ref) for one in weighted(refs, what="refs")]
    wish = Wish(
        refs=tuple(ref for ref, _ in said),
        weights=tuple((_weight(own),) if own else tuple(weights) for _, own in said),
        prompts=tuple(dict.fromkeys((prompts,) if isinstance(prompts, str) else prompts)),
        seeds=tuple(dict.fromkeys(seeds)),
        base=base,
        class_word=class_word,
        options={
            "num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale,
            "negative_prompt": negative_prompt, "width": width, "height": height,
            "sampler": sampler, "prompt_syntax": prompt_syntax, "priority": priority,
            "timeout_seconds": timeout_seconds,
        },
    )  # fmt: skip
    _refuse_size(wish)
    return wish


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
