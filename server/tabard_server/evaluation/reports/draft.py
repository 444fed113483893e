# SPDX-License-Identifier: Apache-2.0
"""Drafts a report: what was drawn and measured. What only people know is left to them. Pure."""

from collections.abc import Mapping, Sequence

from tabard_registry.evidence.report import (
    Against,
    Candidate,
    EncoderNote,
    Goal,
    Layers,
    Picture,
    PromptNote,
    Report,
    Subject,
    Technical,
)
from tabard_registry.refs.digest import Digest, sha256_bytes
from tabard_registry.release.manifest import Manifest
from tabard_server.evaluation.cells import Side
from tabard_server.evaluation.events import ReferenceSource
from tabard_server.evaluation.looks import Encoders
from tabard_server.evaluation.plan import Pinned, Plan
from tabard_server.evaluation.reports.findings import Findings
from tabard_server.evaluation.reports.wording import DRAFTER

CellDigests = Mapping[tuple[int, int], Mapping[Side, Digest]]
"""By place of the prompt and by seed: the digest of each side's picture, if there is one."""

_METHODS = {
    "lora": "A LoRA: small matrices beside the base's own, which learn a style",
    "textual_inversion": "A textual inversion: vectors for one word, which change nothing else",
    "dreambooth": "DreamBooth: all of the model learned one subject, and is worn as an adapter",
    "recipe": "A recipe: releases that are worn together",
}
_SOURCES = {
    ReferenceSource.REQUEST: "References: pictures that came with the request.",
    ReferenceSource.PUBLISHED: "References: pictures that were published beside the line.",
    ReferenceSource.AGAINST: "References: what the release that it would replace draws on this "
    "grid; it is compared with that, and not with what the style shall be.",
}


def draft_report(
    plan: Plan,
    findings: Findings,
    *,
    inputs: Digest,
    drawn: CellDigests,
    manifest: Manifest,
    encoders: Encoders,
) -> Report:
    """Draft the report of an evaluation."""
    release, against = plan.candidate.release, plan.against
    return Report(
        release=_subject(plan.candidate),
        against=None
        if against is None
        else Against(version=against.release.version, digest=against.release.digest),
        grid=sha256_bytes(plan.grid_document),
        encoders=tuple(
            EncoderNote(
                name=one.name, kind=str(one.kind), digest=Digest.parse(f"sha256:{one.digest}")
            )
            for one in encoders.distinct
        ),
        goal=Goal(
            purpose=release.purpose,  # type: ignore[arg-type]
            statement=release.notes[:2_000],
            why_this_method=_METHODS.get(release.kind, ""),
        ),
        prompt_record=_prompt_record(plan, drawn=drawn),
        candidates=tuple(
            Candidate(image=found[Side.CANDIDATE], prompt=prompt, seed=seed)
            for (prompt, seed), found in sorted(drawn.items())
            if Side.CANDIDATE in found
        ),
        baseline=tuple(
            Picture(image=found[Side.AGAINST], prompt=prompt, seed=seed)
            for (prompt, seed), found in sorted(drawn.items())
            if Side.AGAINST in found
        ),
        scores=findings.scores,
        prompts=findings.prompts,
        technical=_technical(plan, manifest=manifest),
        checks=findings.checks,
        verdict=findings.verdict,
        reasons=(*findings.reasons, _SOURCES[plan.source]),
        drafted_by=DRAFTER,
        inputs=inputs,
        references=plan.references.document,
        training=plan.training.document,
        policies=plan.policies,
        bounds=findings.bounds,
        measurement=findings.measurement,
    )


def _subject(pinned: Pinned) -> Subject:
    release = pinned.release
    return Subject(
        adapter=release.adapter,
        version=release.version,
        digest=release.digest,
        kind=release.kind,
        purpose=release.purpose,
    )


def _prompt_record(plan: Plan, *, drawn: CellDigests) -> tuple[PromptNote, ...]:
    """Note each prompt; where what it would replace is the reference, its picture stands there."""
    base = f"{plan.origin.base_family} {plan.origin.base_fingerprint}"
    seed, is_reference = plan.grid.seeds[0], plan.source is ReferenceSource.AGAINST
    return tuple(
        PromptNote(
            prompt=prompt,
            negative_prompt=plan.grid.negative_prompt,
            reference=drawn[place, seed].get(Side.AGAINST) if is_reference else None,
            seed=seed,
            model=base,
            version=str(plan.candidate.release.version),
        )
        for place, prompt in enumerate(plan.prompts)
    )


def _technical(plan: Plan, *, manifest: Manifest) -> Technical:
    release, grid, multiple = plan.candidate.release, plan.grid, plan.origin.pixel_multiple
    return Technical(
        steps=grid.steps,
        latent_size=(grid.height // multiple, grid.width // multiple),
        layers=Layers(
            targets=len(manifest.targets), cross_attention=_cross_attention(manifest.targets)
        ),
        kind=release.kind,
        rank=release.rank,
        mode="merged" if release.is_merged_only else "rows",
        weight=plan.candidate.weight,
        hardware=plan.origin.device,
        dtype=plan.origin.dtype,
        libraries=dict(plan.origin.libraries),
        sampler=plan.sampler,
    )


def _cross_attention(targets: Sequence[object]) -> int:
    return sum("attn2" in str(getattr(one, "module", "")) for one in targets)
