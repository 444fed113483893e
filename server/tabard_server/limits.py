# SPDX-License-Identifier: Apache-2.0
"""Every bound of the server, by name. A limit that is reached answers with a typed error.

In: numbers from the settings. Out: one frozen value. Knows nothing of what it bounds.
"""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from tabard_server.engine_port.memory import TEXT_BYTES_MAX
from tabard_server.engine_port.prompt_style import WINDOWS_MAX
from tabard_server.errors import BadSettings
from tabard_server.scheduler.claims import Weights

MEBIBYTE = 1 << 20
VALUES = SettingsConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    allow_inf_nan=False,
    hide_input_in_errors=True,
    use_attribute_docstrings=True,
)
"""How every group of settings is read: exactly, and with the text below a name as its meaning."""

_UTF8_BYTES_MAX = 4
_REST_BYTES_MAX = 1 << 16
"""Room in a request for its numbers and refs."""


DEFAULT_TENANT = "default"
"""Whose entry counts for tenants that have none, and for callers of whom nobody said a tenant."""


class TenantLimits(BaseModel):
    """What one tenant has of a server; where nothing is said, no more than the server's bounds."""

    model_config = VALUES

    name: Annotated[str, Field(min_length=1)]
    """Its name; `default` is whoever has no entry."""
    weight: PositiveFloat = 1.0
    """Its share of the engine's time beside others, as a weight."""
    queue_rows_max: Annotated[int | None, Field(gt=0)] = None
    """Images admitted and not yet begun."""
    pixel_steps_per_minute: Annotated[float | None, Field(gt=0)] = None
    """Pixels times steps times samples that it may ask for in a minute."""
    resident_bytes_max: Annotated[int | None, Field(gt=0)] = None
    """Adapters that its jobs hold in host memory."""
    jobs_max: Annotated[int | None, Field(gt=0)] = None
    """Detached jobs that are kept for it."""
    job_bytes_max: Annotated[int | None, Field(gt=0)] = None
    """Images of detached jobs that are kept for it."""


class Tenants:
    """What each tenant has, by name."""

    def __init__(self, entries: Iterable[TenantLimits] = ()) -> None:
        """Take the entries of the settings, maybe the default one among them."""
        self._by_name = {one.name: one for one in entries}
        nothing = TenantLimits(name=DEFAULT_TENANT)
        self._default = self._by_name.get(DEFAULT_TENANT, nothing)
        self.weights = Weights(
            by_tenant={name: one.weight for name, one in self._by_name.items()},
            default=self._default.weight,
        )

    def of(self, tenant: str) -> TenantLimits:
        """Return what a tenant has."""
        return self._by_name.get(tenant, self._default)


class Limits(BaseModel):
    """What one request, one job and the whole server may take."""

    model_config = VALUES

    prompt_chars_max: PositiveInt = 4_000
    """Characters of a prompt, tags included; of the negative prompt likewise."""
    prompt_windows_max: Annotated[int, Field(ge=1, le=WINDOWS_MAX)] = WINDOWS_MAX
    """Windows of the text encoder that one prompt may fill."""
    picture_bytes_max: PositiveInt = 8 * MEBIBYTE
    """Bytes of a picture to begin from, or of a mask, as it is sent."""
    picture_pixels_max: PositiveInt = 16_777_216
    """Pixels of a picture to begin from, or of a mask, before it is resized."""
    picture_reads_max: PositiveInt = 2
    """Requests whose pictures are decoded at once."""
    picture_queue_max: PositiveInt = 32
    """Requests whose pictures wait to be decoded."""
    told_pixels_max: PositiveInt = 16_384
    """Largest side or offset that SDXL is told of a picture."""
    pixels_max: PositiveInt = 1_048_576
    """Width times height of one image. One of more than four times the pixels of the base's own
    size is decoded in tiles, as by diffusers' `enable_vae_tiling`: docs/decisions/0078."""
    side_pixels_min: PositiveInt = 16
    """Shortest width or height."""
    side_ratio_max: Annotated[float, Field(ge=1.0)] = 8.0
    """Longest width or height, as a multiple of the side that the base was trained at."""
    step_seconds_max: PositiveFloat = 5.0
    """Longest time that one call of the engine may take, in which nobody else is served: a denoise
    step, a decoding, the encoding of a picture or of prompts. Larger images are refused, and fewer
    share a step. One image of the base's own size is always drawn."""
    steps_max: PositiveInt = 150
    """Denoise steps of one image."""
    images_per_job_max: PositiveInt = 16
    """Images of one request."""
    guidance_scale_max: PositiveFloat = 50.0
    """Highest classifier-free guidance."""
    weight_abs_max: PositiveFloat = 4.0
    """Largest weight of an adapter, either sign."""
    adapters_per_request_max: PositiveInt = 16
    """Refs of one request, and releases in its stack, where a recipe counts as its members."""
    regions_per_request_max: PositiveInt = 8
    """Regions of one request; each takes as much of a step as an image of its own."""
    region_mask_bytes_max: PositiveInt = MEBIBYTE
    """Bytes of the mask of a region, as it is sent."""
    queue_rows_max: PositiveInt = 256
    """Images admitted and not yet begun."""
    running_rows_max: PositiveInt = 16
    """Images begun and not yet finished."""
    rows_per_step_max: Annotated[int | None, Field(gt=0)] = None
    """Images that share one forward pass; unset: 8, or as many as fit into memory."""
    background_rows_max: Annotated[int, Field(ge=3)] = 6
    """Images of evaluations asked for and not drawn, of all together. They share steps with nobody
    else, so this bounds the one step of theirs that a caller may have to wait for."""
    served_images_max: PositiveInt = 10_000
    """Images that are remembered, by digest and job, so that callers can complain of them."""
    ready_rows_max: PositiveInt = 16
    """Images that hold their adapters in host memory and have not begun; others wait in line."""
    overtakes_max: PositiveInt = 16
    """Younger images that may begin, or take host memory, before one that waits for room."""
    deadline_seconds_min: PositiveFloat = 0.02
    """A deadline nearer than this is refused at the door."""
    outbox_events_max: PositiveInt = 64
    """Progress and preview events kept for a slow reader."""
    outbox_bytes_max: PositiveInt = 1_024 * MEBIBYTE
    """Finished images that callers have not taken yet; above it nothing is admitted from those who
    hold their share of it."""
    request_grace_seconds: NonNegativeFloat = 5.0
    """How long a job with a request id goes on after its caller has gone, for a call with the same
    id to find it."""
    request_window_seconds: PositiveFloat = 600.0
    """How long after its end a job is known by its request id, so that none is drawn again."""
    requests_remembered_max: PositiveInt = 100_000
    """Request ids that are known at once; beyond it those whose jobs ended first are forgotten."""
    replay_seconds_max: PositiveFloat = 120.0
    """How long after its end the images of a job with a request id can be had again."""
    replay_bytes_max: PositiveInt = 256 * MEBIBYTE
    """Images that are kept for that; beyond it those of whoever has most go first, oldest first."""
    finish_backlog_max: PositiveInt = 32
    """Finished images that wait to be written as PNG."""
    host_bytes_max: PositiveInt = 4_096 * MEBIBYTE
    """Adapters in host memory."""
    disk_bytes_max: PositiveInt = 16_384 * MEBIBYTE
    """Adapters of a remote registry kept in the cache folder."""
    text_bytes_max: NonNegativeInt = TEXT_BYTES_MAX
    """Encoded prompts kept on the device, in at most half of what everything else leaves of it."""
    compiled_bytes_max: PositiveInt = 2_048 * MEBIBYTE
    """What is compiled of bases, kept in the cache folder; what was used longest ago goes first."""
    adapter_loads_max: PositiveInt = 2
    """Adapters read from the registry at once."""
    upload_bytes_max: PositiveInt = 2_048 * MEBIBYTE
    """Bytes of one upload, all files together."""
    upload_files_max: PositiveInt = 8
    """Files of one upload."""
    upload_chunk_bytes_min: PositiveInt = 1_024
    """Bytes of a chunk of an upload, but for the last of its file."""
    upload_chunk_bytes_max: PositiveInt = MEBIBYTE
    """Bytes of any chunk of an upload."""
    uploads_max: PositiveInt = 4
    """Uploads at once."""
    uploads_queue_max: NonNegativeInt = 64
    """Uploads that wait for a place; their bytes stay with the caller."""
    fetches_max: PositiveInt = 4
    """Downloads of a release's files at once."""
    fetches_queue_max: NonNegativeInt = 64
    """Downloads that wait for a place."""
    evaluations_max: PositiveInt = 2
    """Evaluations at once."""
    evaluations_queue_max: NonNegativeInt = 16
    """Evaluations that wait for a place."""
    evaluation_pictures_max: PositiveInt = 64
    """References of one evaluation; training pictures as many again."""
    evaluation_bytes_max: PositiveInt = 1_024 * MEBIBYTE
    """Pictures that evaluations have drawn, kept in the cache folder: none is drawn twice."""
    lookup_pictures_max: PositiveInt = 16_384
    """Pictures of evidence whose looks are kept in memory, to find a picture again."""
    encoder_bytes_max: PositiveInt = 4_096 * MEBIBYTE
    """Weights of one learned encoder, or of the safety classifier."""
    grid_bytes_max: PositiveInt = 256 * 1_024
    """Bytes of the document of a grid."""
    canary_pairs_max: PositiveInt = 2
    """Pairs that are drawn at once for canaries, beside callers' images where steps have room."""
    canary_pair_seconds_max: PositiveFloat = 60.0
    """Seconds after which a pair is given up: the server had no room for it."""
    canary_scoring_seconds_max: PositiveFloat = 30.0
    """Seconds in which the pictures of one prompt and seed are looked at. A scorer that needs
    longer makes a canary inconclusive, and ends an evaluation (`ENCODER_FAILED`)."""
    registry_acts_max: PositiveInt = 32
    """Acts on the registry at once; those who wait together share a record. Rollbacks and
    withdrawals have places of their own."""
    registry_reads_max: PositiveInt = 4
    """Questions at once that may have to read the store or the index."""
    registry_queue_max: NonNegativeInt = 256
    """Acts that wait for a place; of questions likewise."""
    queue_seconds_max: PositiveFloat = 60.0
    """How long a call waits for a place before it is told to come back."""
    message_bytes_max: PositiveInt = 32 * MEBIBYTE
    """Bytes of one gRPC message."""
    calls_max: PositiveInt = 1_024
    """Calls in flight at once, operators' included."""
    operator_calls_reserved: PositiveInt = 64
    """Of these, kept for health, status, drain, rollback and withdrawal."""
    caller_share_max: Annotated[float, Field(gt=0.0, le=1.0)] = 0.75
    """The part of any bound on what can be held that one caller may hold: calls, uploads,
    downloads, watches, acts, questions, waiting images, and the lines before them. A caller is an
    address; on loopback, a connection; on a unix socket, everybody together."""
    stream_idle_seconds_max: PositiveFloat = 60.0
    """How long a caller may keep a stream waiting: for its next message, or to take one."""
    stream_bytes_per_second_min: PositiveFloat = 65_536.0
    """The slowest that a stream may be on the whole, beside that."""
    watchers_max: PositiveInt = 64
    """Watch streams at once; of health, and of reflection, as many again."""
    job_watchers_max: PositiveInt = 512
    """Watches of detached jobs at once."""
    connections_max: PositiveInt = 512
    """Connections at once, of all callers together; more are closed as they come."""
    connection_idle_seconds_max: PositiveFloat = 300.0
    """How long a connection may stay open without a call."""
    metric_releases_max: PositiveInt = 1_000
    """Releases that have a series of their own in the metrics; those that drew longest ago, and the
    withdrawn, are counted together as `other`."""
    metric_tenants_max: PositiveInt = 100
    """Tenants that have series of their own in the metrics; those that were heard of longest ago
    are counted together as `other`."""
    page_size_max: PositiveInt = 1_000
    """Adapters of one page, acts of one history, hits of one search."""
    page_bytes_max: PositiveInt = 4 * MEBIBYTE
    """Bytes of one page of adapters, or of what was served, but for its first entry."""
    page_size_default: PositiveInt = 100
    """How many of them where the caller does not say."""
    retry_seconds: PositiveFloat = 1.0
    """What a caller is told to wait when all places of some kind are held, until it is known how
    long they are held lately; and where nothing says when."""
    retry_seconds_min: PositiveFloat = 0.1
    """The least that a caller is told to wait for a seat in the queue, or for a place; how long
    it is say the queue, and how long places were held."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.page_size_default > self.page_size_max:
            raise BadSettings(
                "limits.page_size_default is above limits.page_size_max",
                names=("limits.page_size_default", "limits.page_size_max"),
                hint="lower the default",
            )
        if self.operator_calls_reserved >= self.calls_max:
            raise BadSettings(
                "limits.operator_calls_reserved leaves nothing of limits.calls_max to anybody else",
                names=("limits.operator_calls_reserved", "limits.calls_max"),
                hint="raise limits.calls_max, or reserve fewer",
            )
        if self.upload_chunk_bytes_min > self.upload_chunk_bytes_max:
            raise BadSettings(
                "limits.upload_chunk_bytes_min is above limits.upload_chunk_bytes_max",
                names=("limits.upload_chunk_bytes_min", "limits.upload_chunk_bytes_max"),
                hint="lower the smallest chunk",
            )
        if self.request_bytes_max > self.message_bytes_max:
            raise BadSettings(
                f"limits.message_bytes_max is {self.message_bytes_max}, and a request within the "
                f"other limits can have {self.request_bytes_max} bytes",
                names=(
                    "limits.message_bytes_max",
                    "limits.picture_bytes_max",
                    "limits.region_mask_bytes_max",
                    "limits.prompt_chars_max",
                ),
                hint="raise it, or lower limits.picture_bytes_max, limits.region_mask_bytes_max or "
                "limits.prompt_chars_max",
            )
        return self

    @property
    def request_bytes_max(self) -> int:
        """Bytes of the largest generate request that all limits allow."""
        words = _UTF8_BYTES_MAX * self.prompt_chars_max
        regions = self.regions_per_request_max * (self.region_mask_bytes_max + words)
        return 2 * self.picture_bytes_max + 2 * words + regions + _REST_BYTES_MAX
