# SPDX-License-Identifier: Apache-2.0
"""How long every text of a request may be, and how many there may be: one table, by field name.

A field means the same in every message, so its name is enough. A field that is not in the table
stops the start, and a test proves the table total. The rooms behind the door check again, by
characters and with words of their own; here nothing has been read yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tabard_registry.acts.author import ACTOR_CHARS_MAX, REASON_CHARS_MAX, REQUEST_ID_CHARS_MAX
from tabard_registry.evidence.codec import DOCUMENT_BYTES_MAX
from tabard_registry.identity.roles import NAMESPACES_MAX
from tabard_registry.refs.names import REF_CHARS_MAX
from tabard_registry.release.bounds import BOUND_NAMES
from tabard_registry.release.gates import GATES_MAX
from tabard_registry.release.health import CHECKS
from tabard_registry.release.manifest import MEMBERS_MAX
from tabard_registry.release.sampling import SAMPLERS_MAX
from tabard_registry.release.words import (
    LICENCE_CHARS_MAX,
    NOTES_CHARS_MAX,
    TITLE_CHARS_MAX,
    TRIGGER_WORD_CHARS_MAX,
    TRIGGER_WORDS_MAX,
)
from tabard_server.jobs.words.controls import CONTROLS_CHARS_MAX, POINTS_MAX
from tabard_server.limits import Limits
from tabard_server.reviewing.votes import HELD_MAX
from tabard_server.webhooks.receivers import URL_CHARS_MAX

_UTF8_BYTES_MAX = 4
_WORDS_CHARS_MAX = 4_000
_FILE_NAME_CHARS_MAX = 4_096
_SIGNATURE_CHARS_MAX = 1_024

_REF_LIKE = (
    *(
        "ref",
        "other_ref",
        "adapter",
        "channel",
        "version",
        "to_version",
        "expect_digest",
        "page_token",
    ),
    *("sampler", "timestep_spacing", "schedule", "key_id", "service", "host", "list_services"),
    *("namespace", "token", "tenant", "expires_at"),
    *("against", "grid"),
    *("digest", "evidence_digest", "image_digest", "job_id", "canary_key", "place", "pair"),
    *("spacing", "prediction", "enforce"),
    "block",
    "base",
    *("file_by_filename", "file_containing_symbol", "containing_type"),
    "all_extension_numbers_of_type",
)
"""Fields that hold one name, number or time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What one field may hold.

    Attributes:
        bytes_max: Bytes of one value.
        reason: What it is called when one is longer.
        hint: What to do instead.
        count_max: Values of it.
        count_reason: What it is called when there are more.
        count_hint: What to do instead.
    """

    bytes_max: int
    reason: str = "FIELD_TOO_LONG"
    hint: str = ""
    count_max: int = 1
    count_reason: str = "FIELD_TOO_LONG"
    count_hint: str = ""


def bounds_of(limits: Limits) -> Mapping[str, Bound]:
    """Return the bounds of every text, every `bytes` and every repeated field, by name."""
    ref = _text(REF_CHARS_MAX)
    prompt = _text(
        limits.prompt_chars_max,
        reason="PROMPT_TOO_LONG",
        hint="shorten it (limits.prompt_chars_max)",
    )
    adapters = Bound(
        bytes_max=0,
        count_max=limits.adapters_per_request_max,
        count_reason="TOO_MANY_ADAPTERS",
        count_hint="wear fewer (limits.adapters_per_request_max)",
    )
    grants = Bound(
        bytes_max=0,
        count_max=NAMESPACES_MAX,
        count_hint=f"a token has at most {NAMESPACES_MAX} roles, or those in all namespaces",
    )
    members = Bound(
        bytes_max=0,
        count_max=MEMBERS_MAX,
        count_reason="FIELD_INVALID",
        count_hint=f"a recipe has 1 to {MEMBERS_MAX} members",
    )
    trigger_words = replace(
        _text(TRIGGER_WORD_CHARS_MAX),
        count_max=TRIGGER_WORDS_MAX,
        count_hint=f"a release has at most {TRIGGER_WORDS_MAX} trigger words",
    )
    chunk = Bound(
        bytes_max=limits.upload_chunk_bytes_max,
        reason="UPLOAD_BROKEN",
        hint="send smaller chunks (limits.upload_chunk_bytes_max)",
    )
    return {
        **dict.fromkeys(_REF_LIKE, ref),
        "prompt": prompt,
        "negative_prompt": prompt,
        **dict.fromkeys(("adapters", "pins"), adapters),
        **_of_steps(limits),
        **_of_controls(),
        **dict.fromkeys(("samplers", "sources"), replace(ref, count_max=SAMPLERS_MAX)),
        **_of_pictures(limits),
        "chunk": chunk,
        "name": _text(_FILE_NAME_CHARS_MAX),
        "words": _text(_WORDS_CHARS_MAX),
        "signature": _text(_SIGNATURE_CHARS_MAX),
        "actor": _text(ACTOR_CHARS_MAX),
        "reason": _text(REASON_CHARS_MAX),
        "override": _text(REASON_CHARS_MAX),
        "note": _text(REASON_CHARS_MAX),
        **_of_policies(),
        "pattern": ref,
        "request_id": _text(REQUEST_ID_CHARS_MAX),
        "webhook_url": _text(URL_CHARS_MAX),
        "notes": _text(NOTES_CHARS_MAX),
        "licence": _text(LICENCE_CHARS_MAX),
        "title": _text(TITLE_CHARS_MAX),
        "trigger_words": trigger_words,
        **_of_pairs(ref),
        "members": members,
        "grants": grants,
    }


def _of_pairs(ref: Bound) -> dict[str, Bound]:
    held = replace(ref, count_max=HELD_MAX, count_hint=f"hold at most {HELD_MAX} pairs")
    labels = Bound(bytes_max=0, count_max=len(CHECKS), count_hint="name each label once")
    return {"held": held, "labels_a": labels, "labels_b": labels}


def _of_policies() -> dict[str, Bound]:
    return {
        "channels": Bound(
            bytes_max=0,
            count_max=GATES_MAX,
            count_hint=f"a namespace has at most {GATES_MAX} channel patterns",
        ),
        "bounds": Bound(
            bytes_max=0,
            count_max=len(BOUND_NAMES),
            count_hint=f"there are {len(BOUND_NAMES)} bounds",
        ),
    }


_SKIPPED_MAX = 256
"""Layers of a network that a request may name: no base has more."""


def _of_steps(limits: Limits) -> dict[str, Bound]:
    timesteps = Bound(
        bytes_max=0,
        count_max=limits.steps_max,
        count_reason="STEPS_OUT_OF_RANGE",
        count_hint=f"name at most {limits.steps_max} steps (limits.steps_max)",
    )
    # One sigma more than steps: where the last one ends.
    sigmas = replace(timesteps, count_max=limits.steps_max + 1)
    skipped = Bound(
        bytes_max=0,
        count_max=_SKIPPED_MAX,
        count_reason="SKIP_LAYERS_OUT_OF_RANGE",
        count_hint="name each layer once",
    )
    return {"timesteps": timesteps, "sigmas": sigmas, "skip_guidance_layers": skipped}


def _of_controls() -> dict[str, Bound]:
    several = Bound(
        bytes_max=0, count_max=POINTS_MAX, count_hint=f"name at most {POINTS_MAX} of an adapter"
    )
    return {
        **dict.fromkeys(("points", "blocks", "block_weights"), several),
        **dict.fromkeys(("region", "boxes"), _text(CONTROLS_CHARS_MAX)),
    }


def _of_pictures(limits: Limits) -> dict[str, Bound]:
    picture = Bound(
        bytes_max=limits.picture_bytes_max,
        reason="IMAGE_TOO_LARGE",
        hint="send it smaller, or as JPEG (limits.picture_bytes_max)",
    )
    pictures = replace(
        picture,
        count_max=limits.evaluation_pictures_max,
        count_reason="REFERENCES_TOO_MANY",
        count_hint="send fewer (limits.evaluation_pictures_max)",
    )
    mask = Bound(
        bytes_max=limits.region_mask_bytes_max,
        reason="IMAGE_TOO_LARGE",
        hint="save it as a grey PNG, or use boxes (limits.region_mask_bytes_max)",
    )
    regions = Bound(
        bytes_max=0,
        count_max=limits.regions_per_request_max,
        count_reason="TOO_MANY_REGIONS",
        count_hint="have fewer (limits.regions_per_request_max)",
    )
    grid = Bound(
        bytes_max=limits.grid_bytes_max,
        reason="GRID_TOO_LARGE",
        hint="give it fewer prompts (limits.grid_bytes_max)",
    )
    document = Bound(
        bytes_max=DOCUMENT_BYTES_MAX, hint=f"a document has at most {DOCUMENT_BYTES_MAX} bytes"
    )
    return {
        **dict.fromkeys(("image", "mask_image", "content"), picture),
        **dict.fromkeys(("references", "training"), pictures),
        "mask": mask,
        "regions": regions,
        "grid_document": grid,
        "document": document,
    }


def _text(chars_max: int, *, reason: str = "FIELD_TOO_LONG", hint: str = "") -> Bound:
    return Bound(
        bytes_max=chars_max * _UTF8_BYTES_MAX,
        reason=reason,
        hint=hint or f"at most {chars_max} characters",
    )
