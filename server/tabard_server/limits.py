# SPDX-License-Identifier: Apache-2.0
"""Every bound of the server, by name. A limit that is reached answers with a typed error.

In: numbers from the settings. Out: one frozen value. Knows nothing of what it bounds.
"""

import math
from dataclasses import dataclass, fields

from tabard_server.errors import BadSettings

MEBIBYTE = 1 << 20

_UTF8_BYTES_MAX = 4
_REST_BYTES_MAX = 1 << 16
"""Room in a request for its numbers and refs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request, one job and the whole server may take.

    Attributes:
        prompt_chars_max: Characters of a prompt, tags included; of the negative prompt likewise.
        prompt_windows_max: Windows of the text encoder that one prompt may fill.
        picture_bytes_max: Bytes of a picture to begin from, or of a mask, as it is sent.
        picture_pixels_max: Pixels of such a picture, before it is resized.
        picture_reads_max: Requests whose pictures are decoded at once.
        picture_queue_max: Requests whose pictures wait for that, or are decoded.
        told_pixels_max: Largest side or offset that SDXL is told of a picture.
        pixels_max: Width times height of one image.
        side_pixels_min: Shortest width or height.
        steps_max: Denoise steps of one image.
        images_per_job_max: Images of one request.
        guidance_scale_max: Highest classifier-free guidance.
        weight_abs_max: Largest weight of an adapter, either sign.
        adapters_per_request_max: Refs of one request, and releases in its stack, where a recipe
            counts as its members.
        reason_chars_max: Characters of an actor, a reason or a request id.
        queue_rows_max: Images admitted and not yet begun.
        running_rows_max: Images begun and not yet finished.
        rows_per_step_max: Images that share one forward pass.
        overtakes_max: Younger images that may begin before one that waits for room.
        deadline_seconds_min: A deadline nearer than this is refused at the door.
        outbox_events_max: Progress and preview events kept for a slow reader.
        finish_backlog_max: Finished images that wait to be written as PNG.
        host_bytes_max: Adapters in host memory.
        disk_bytes_max: Adapters of a remote registry kept in the cache folder.
        adapter_loads_max: Adapters read from the registry at once.
        upload_bytes_max: Bytes of one upload, all files together.
        upload_files_max: Files of one upload.
        uploads_max: Uploads at once.
        fetches_max: Downloads of a release's files at once.
        registry_acts_max: Acts on the registry at once; those who wait together share a record.
        registry_reads_max: Questions at once that may have to read the store or the index.
        message_bytes_max: Bytes of one gRPC message.
        calls_max: Calls in flight at once.
        watchers_max: Watch streams at once.
        page_size_max: Adapters of one page, acts of one history, hits of one search.
        page_size_default: The same when the caller does not say.
        retry_seconds: What a caller is told to wait when a queue is full.
    """

    prompt_chars_max: int = 4_000
    prompt_windows_max: int = 4
    picture_bytes_max: int = 8 * MEBIBYTE
    picture_pixels_max: int = 16_777_216
    picture_reads_max: int = 2
    picture_queue_max: int = 32
    told_pixels_max: int = 16_384
    pixels_max: int = 1_048_576
    side_pixels_min: int = 16
    steps_max: int = 150
    images_per_job_max: int = 16
    guidance_scale_max: float = 50.0
    weight_abs_max: float = 4.0
    adapters_per_request_max: int = 16
    reason_chars_max: int = 2_000
    queue_rows_max: int = 256
    running_rows_max: int = 16
    rows_per_step_max: int = 8
    overtakes_max: int = 16
    deadline_seconds_min: float = 0.02
    outbox_events_max: int = 64
    finish_backlog_max: int = 32
    host_bytes_max: int = 4_096 * MEBIBYTE
    disk_bytes_max: int = 16_384 * MEBIBYTE
    adapter_loads_max: int = 2
    upload_bytes_max: int = 2_048 * MEBIBYTE
    upload_files_max: int = 8
    uploads_max: int = 2
    fetches_max: int = 4
    registry_acts_max: int = 32
    registry_reads_max: int = 4
    message_bytes_max: int = 32 * MEBIBYTE
    calls_max: int = 1_024
    watchers_max: int = 64
    page_size_max: int = 1_000
    page_size_default: int = 100
    retry_seconds: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value <= 0:
                raise BadSettings(
                    f"limits.{field.name} is {value!r}",
                    hint="a limit is a finite number above 0; leave it out for the default",
                )
        if self.page_size_default > self.page_size_max:
            raise BadSettings(
                "limits.page_size_default is above limits.page_size_max", hint="lower the default"
            )
        if self.request_bytes_max > self.message_bytes_max:
            raise BadSettings(
                f"limits.message_bytes_max is {self.message_bytes_max}, and a request within the "
                f"other limits can have {self.request_bytes_max} bytes",
                hint="raise it, or lower limits.picture_bytes_max or limits.prompt_chars_max",
            )

    @property
    def request_bytes_max(self) -> int:
        """Bytes of the largest generate request that all limits allow."""
        words = 2 * _UTF8_BYTES_MAX * self.prompt_chars_max
        return 2 * self.picture_bytes_max + words + _REST_BYTES_MAX
