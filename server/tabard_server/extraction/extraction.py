# SPDX-License-Identifier: Apache-2.0
"""A tuned model becomes an adapter: compared, written, drawn, and kept or refused.

In: a tuned model, its base, and where the adapter goes. Out: a file that the intake takes, and a
outcome. Only the base is ever whole in memory, and the tuned model after it for its pictures.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from tabard_registry import BaseProfile
from tabard_registry.export.kohya import family_word
from tabard_registry.grammar import counted
from tabard_registry.refs.digest import sha256_file
from tabard_registry.release import change_methods
from tabard_server.engine.base.loading import load_base
from tabard_server.engine.base.place import DEMO_BASE
from tabard_server.engine.base.profile import read_profile
from tabard_server.engine.base.schedules.schedule import Asked
from tabard_server.extraction.adapter_file import AdapterFile
from tabard_server.extraction.comparison import compare
from tabard_server.extraction.errors import (
    ChangeNotCarried,
    ImageErrorTooLarge,
    TunedModelMismatch,
    TunedModelUnchanged,
)
from tabard_server.extraction.opening import open_tuned_model
from tabard_server.extraction.outcome import (
    ExtractionOutcome,
    PictureError,
    blocks_of,
    is_alike,
    kept_share,
    lost_length,
    missing_share,
)
from tabard_server.extraction.settings import ExtractionSettings
from tabard_server.extraction.survey import OnProgress, Survey, names_of, survey
from tabard_server.extraction.tuned_model import TunedModel
from tabard_server.version import tabard_version

RELATED_CHANGE_MAX = 0.3
"""A fine-tune moves a base by a few hundredths of its length; above this it is hardly one."""
TUNED_CHANGE_MAX = 1.0
"""How far a component of a fine-tune may be from the base's, as a share of the base's length. Above
it a model of all zeros would be nearer to the base; two models that have nothing to do with each
other are 1.4 apart, and weights whose scale was lost are farther still."""


def extract(
    tuned: str,
    *,
    base: str,
    out: Path,
    settings: ExtractionSettings,
    base_config: str | None = None,
    asked: Asked | None = None,
    progress: OnProgress | None = None,
) -> ExtractionOutcome:
    """Write the difference between a tuned model and its base as an adapter.

    Args:
        tuned: A diffusers folder, a `.safetensors` file, or a hub id.
        base: As after `--base`.
        out: Where the adapter goes; replaced only when it is accepted.
        settings: Ranks, exactness, the comparison.
        base_config: For a single-file base: folder or hub id with its configs and tokenizer.
        asked: What the caller says of base and tuned model, against their own words.
        progress: Told what is done.

    Raises:
        ExtractionError: It is refused; the class says why.
        BaseNotLoadable: The base, or the tuned model for its pictures, cannot be loaded.
        OSError: A file cannot be read or written.
    """
    tell = progress or (lambda _what, _done, _total: None)
    begun = time.monotonic()
    tell("reading the base", 0, 1)
    asked = asked or Asked()
    loaded = load_base(base, config=base_config, asked=asked)
    profile = read_profile(loaded)
    tell("reading the checkpoint", 0, 1)
    source = open_tuned_model(tuned, base=loaded, asked=asked)
    with AdapterFile(out) as file:
        found = survey(loaded, source, profile=profile, settings=settings, file=file, progress=tell)
        _refuse_unfit(found, settings=settings, tuned=tuned)
        file.finish(_metadata(found, source=source, profile=profile, settings=settings))
        pictures = compare(
            loaded,
            file=file.unnamed,
            tuned=source.path,
            config=_config(base, base_config),
            asked=asked,
            profile=profile,
            settings=settings,
            progress=tell,
        )
        outcome = _outcome(
            found,
            source=source,
            profile=profile,
            settings=settings,
            names=(tuned, base, str(out)),
            written=file.unnamed,
            pictures=pictures,
            seconds=time.monotonic() - begun,
        )
        _refuse_unlike(outcome)
        file.keep()
    return outcome


def _refuse_unfit(found: Survey, *, settings: ExtractionSettings, tuned: str) -> None:
    if settings.is_exact and found.left_out:
        raise ChangeNotCarried(
            "no adapter carries what differs in "
            f"{counted(len(found.left_out), 'parameter')}: {names_of(found.left_out)}",
            hint="extract without --exact: the report says what is left out, and the probe "
            "pictures whether it matters",
        )
    for component, change in found.relative_changes.items():
        if change > TUNED_CHANGE_MAX:
            raise TunedModelMismatch(
                f"the {component} of {tuned} is {change:.0%} of the base's length away from it, "
                f"and a fine-tune is at most {TUNED_CHANGE_MAX:.0%}",
                hint="extract against the base it was trained from; if it is that one, its weights "
                "were damaged or scaled by whoever converted it",
            )
    if not found.layers:
        left = names_of(found.left_out)
        raise TunedModelUnchanged(
            f"nothing that an adapter carries differs between {tuned} and the base"
            + (f"; not carried: {left}" if left else ""),
            hint="serve the base itself, or name the checkpoint's own base",
        )


def _refuse_unlike(outcome: ExtractionOutcome) -> None:
    if outcome.accepted or outcome.image_error is None:
        return
    raise ImageErrorTooLarge(
        f"of the way from the base's pictures to the checkpoint's {outcome.image_error:.0%} is "
        f"missing, allowed is {outcome.image_error_max:.0%}",
        hint="give a larger --rank or --energy, drop --low-rank-only, keep everything with "
        "--exact, or allow more with --error-max",
        outcome=outcome,
    )


def _config(base: str, base_config: str | None) -> str | None:
    """Return where the configs and tokenizer of a single-file tuned model may come from."""
    if base_config is not None:
        return base_config
    if base == "demo":
        return str(DEMO_BASE)
    return None if Path(base).is_file() else base


def _metadata(
    found: Survey, *, source: TunedModel, profile: BaseProfile, settings: ExtractionSettings
) -> Mapping[str, str]:
    """Return where the file comes from: nothing of when or where, so that bytes repeat."""
    ranks = settings.ranks
    choice = {
        "rank": ranks.rank,
        "energy": ranks.energy,
        "rank_max": ranks.limit,
        "exact": settings.is_exact,
        "low_rank_only": settings.is_low_rank_only,
        "seed": settings.seed,
        "kept_energy": round(kept_share(found.layers, found.left_out), 9),
        "left_out": len(found.left_out),
    }
    is_plain = all(one.form == change_methods.LORA.name for one in found.layers)
    rank = max((one.rank for one in found.layers), default=0)
    return {
        "format": "pt",
        "tabard.base_family": profile.family,
        "tabard.base_fingerprint": profile.fingerprint,
        "tabard.checkpoint_sha256": source.sha256,
        "tabard.extraction": json.dumps(choice, sort_keys=True, separators=(",", ":")),
        "tabard.version": tabard_version(),
        "ss_base_model_version": family_word(profile.family),
        "ss_network_alpha": str(rank),
        "ss_network_dim": str(rank),
        "ss_network_module": "networks.lora" if is_plain else "lycoris.kohya",
    }


def _outcome(
    found: Survey,
    *,
    source: TunedModel,
    profile: BaseProfile,
    settings: ExtractionSettings,
    names: tuple[str, str, str],
    written: Path,
    pictures: tuple[PictureError, ...],
    seconds: float,
) -> ExtractionOutcome:
    tuned, base, out = names
    kept = kept_share(found.layers, found.left_out)
    is_low_rank = all(one.form == change_methods.LORA.name for one in found.layers)
    return ExtractionOutcome(
        accepted=is_alike(pictures, image_error_max=settings.image_error_max),
        checkpoint=tuned,
        checkpoint_sha256=source.sha256,
        base=base,
        base_family=profile.family,
        base_fingerprint=profile.fingerprint,
        file=out,
        file_sha256=str(sha256_file(written)),
        file_bytes=written.stat().st_size,
        mode="rows" if is_low_rank else "merged",
        rank_max=max((one.rank for one in found.layers), default=0),
        kept_energy=kept,
        relative_error=lost_length(kept),
        relative_change=found.relative_change,
        unchanged_count=found.unchanged_count,
        rounded_count=found.rounded_count,
        layers=tuple(found.layers),
        left_out=tuple(found.left_out),
        unused=tuple(found.unused),
        blocks=blocks_of(found.layers, found.left_out),
        pictures=pictures,
        image_error=missing_share(pictures),
        image_error_max=settings.image_error_max,
        warnings=tuple(_warnings(found, settings=settings, is_eight_bit=source.is_eight_bit)),
        seconds=seconds,
    )


def _warnings(found: Survey, *, settings: ExtractionSettings, is_eight_bit: bool) -> list[str]:
    said = []
    if found.relative_change > RELATED_CHANGE_MAX:
        said.append(
            f"the checkpoint is {found.relative_change:.0%} of the base's length away from it: "
            "was it trained from this base?"
        )
    if vae := [one for one in found.left_out if one.component == "vae"]:
        said.append(
            f"its VAE differs in {counted(len(vae), 'parameter')}; an adapter does not carry a "
            "VAE, pictures are decoded by the base's"
        )
    if words := [one for one in found.left_out if one.why == "embedding"]:
        said.append(f"its embeddings differ and are not carried: {names_of(words)}")
    if other := [one for one in found.left_out if one.why == "unknown_kind"]:
        said.append(f"differences of an unknown kind are not carried: {names_of(other)}")
    if folded := [one for one in found.left_out if one.why == "low_rank_only"]:
        said.append(f"norms and biases differ and are left out, as asked: {len(folded)}")
    if found.unused:
        said.append(
            f"{counted(len(found.unused), 'key')} of the checkpoint without a parameter in the "
            f"base, {found.unused[0]} first"
        )
    if is_eight_bit:
        said.append(
            "the checkpoint was kept in eight bits: its rounding is a part of the difference; "
            "extract from the checkpoint that it was made from if you have it"
        )
    if settings.comparison is None:
        said.append("no pictures were compared")
    return said
