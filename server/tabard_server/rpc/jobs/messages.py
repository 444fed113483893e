# SPDX-License-Identifier: Apache-2.0
"""Between messages of JobService and detached jobs."""

from google.protobuf.timestamp_pb2 import Timestamp

from tabard.v1 import generation_service_pb2
from tabard.v1 import job_service_pb2 as pb
from tabard_server.detached.held import Begun, Ended, Held, Told
from tabard_server.detached.record import Failure, Hook, JobRecord, JobState, KeptImage
from tabard_server.jobs.job import Preview, Progress
from tabard_server.rpc.generation.messages import FORMATS
from tabard_server.rpc.status import CODES
from tabard_server.rpc.times import write_duration

_STATES = {
    JobState.WAITING: pb.JOB_STATE_WAITING,
    JobState.RUNNING: pb.JOB_STATE_RUNNING,
    JobState.SUCCEEDED: pb.JOB_STATE_SUCCEEDED,
    JobState.FAILED: pb.JOB_STATE_FAILED,
    JobState.CANCELLED: pb.JOB_STATE_CANCELLED,
}
_NANOS = 1_000_000_000


def write_job(
    record: JobRecord,
    *,
    held: Held | None = None,
    kept_until: float | None = None,
    queue_place: int = 0,
) -> pb.Job:
    """Write a job.

    Args:
        record: What is kept of it.
        held: The same in memory, which knows how far its images are.
        kept_until: Until when it is kept.
        queue_place: Images that wait before it.
    """
    return pb.Job(
        job_id=record.id,
        state=_STATES[record.state],
        request_id=record.request_id,
        created_at=_time(record.created_at),
        ended_at=_time(record.ended_at) if record.ended_at else None,
        kept_until=None if kept_until is None else _time(kept_until),
        accepted=generation_service_pb2.Accepted.FromString(record.accepted),
        images=[_image(one) for one in record.images],
        progress=[_progress(one) for one in held.progress] if held else [],
        queue_place=queue_place,
        failure=_failure(record.failure) if record.failure else None,
        event_id=held.last_event if held else record.last_event,
        webhook=_webhook(record.hook) if record.hook else None,
        run=record.run,
        namespace=record.place,
        queue_duration=write_duration(record.queue_seconds) if record.queue_seconds else None,
        total_duration=write_duration(record.total_seconds) if record.total_seconds else None,
    )


def write_told(told: Told, *, kept_until: float | None) -> pb.WatchJobResponse:
    """Write an event of a job; `kept_until` is for the last one."""
    match told.what:
        case Begun(record=record):
            accepted = generation_service_pb2.Accepted.FromString(record.accepted)
            return pb.WatchJobResponse(event_id=told.id, accepted=accepted)
        case Progress():
            return pb.WatchJobResponse(event_id=told.id, progress=_progress(told.what))
        case Preview(index=index, step=step, content=content):
            preview = generation_service_pb2.Preview(index=index, step=step, content=content)
            return pb.WatchJobResponse(event_id=told.id, preview=preview)
        case KeptImage():
            return pb.WatchJobResponse(event_id=told.id, image=_image(told.what))
        case Ended(record=record):
            return pb.WatchJobResponse(
                event_id=told.id, ended=write_job(record, kept_until=kept_until)
            )


def _progress(event: Progress) -> generation_service_pb2.Progress:
    return generation_service_pb2.Progress(index=event.index, step=event.step, steps=event.steps)


def _image(image: KeptImage) -> pb.JobImage:
    return pb.JobImage(
        index=image.index,
        seed=image.seed,
        format=FORMATS[image.format],
        byte_count=image.byte_count,
        digest=image.digest,
    )


def _failure(failure: Failure) -> pb.JobFailure:
    delay = failure.retry_seconds
    return pb.JobFailure(
        reason=failure.reason,
        message=failure.message,
        hint=failure.hint,
        code=CODES[failure.refusal.kind].value[0],
        retry_delay=None if delay is None else write_duration(delay),
    )


def _webhook(hook: Hook) -> pb.JobWebhook:
    return pb.JobWebhook(
        url=hook.url, state=hook.state.value, attempts=hook.attempts, problem=hook.problem
    )


def _time(seconds: float) -> Timestamp:
    whole, rest = divmod(round(seconds * _NANOS), _NANOS)
    return Timestamp(seconds=whole, nanos=rest)
