# SPDX-License-Identifier: Apache-2.0
"""What a picture goes through before a caller is sent it: it is looked at, and signed last.

In: pixels, and files as they are written. Out: a verdict, and files with a signature; or an error,
and then nobody is sent the picture. What the server draws for itself passes as it is. Any thread.
"""

from tabard_server.c2pa.manifest import manifest_of
from tabard_server.c2pa.signer import Signer, signer_for
from tabard_server.engine_port.drawing import Pixels
from tabard_server.errors import ImageWithheld, JobFailed
from tabard_server.jobs.job import Job
from tabard_server.output.marking import source_of
from tabard_server.safety.check import Classify, SafetyCheck
from tabard_server.safety.verdict import Verdict
from tabard_server.settings import Settings
from tabard_server.telemetry.logs import log_event, log_problem
from tabard_server.telemetry.metrics import Metrics
from tabard_server.version import tabard_version


class Clearance:
    """Looks at pictures and signs them, as far as either is on.

    Attributes:
        safety: What looks at them; None: nothing does.
        signer: What signs them; None: nothing does.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        safety: SafetyCheck | None = None,
        signer: Signer | None = None,
    ) -> None:
        self.safety = safety
        self.signer = signer
        self._metrics = metrics

    def start(self) -> None:
        """Start the thread that looks at pictures, if one does."""
        if self.safety is not None:
            self.safety.start()

    def close(self) -> None:
        """Let that thread end; does not wait for it."""
        if self.safety is not None:
            self.safety.close()

    def judge(self, pixels: Pixels, *, job: Job, index: int) -> Verdict | None:
        """Say what becomes of an image; None: nobody looks at it.

        Raises:
            ImageWithheld: No caller may have it.
            JobFailed: It could not be looked at.
        """
        if self.safety is None or job.claim.is_background:
            return None
        try:
            verdict = self.safety.judge(pixels)
        except JobFailed:
            self._metrics.safety_verdicts.labels(verdict="failed").inc()
            raise
        self._metrics.safety_verdicts.labels(verdict=verdict.action).inc()
        if verdict.label:
            log_event(
                "image.judged",
                job=job.id,
                index=index,
                verdict=verdict.action,
                label=verdict.label,
                score=verdict.score,
            )
        if verdict.action == "withheld":
            raise ImageWithheld(
                f"the safety classifier of this server withholds the image: {verdict.label}",
                hint="ask for something else, or with another seed",
            )
        return verdict

    def sign(self, content: bytes, *, job: Job) -> bytes:
        """Return a file as it is sent: nothing may be written into it any more.

        Raises:
            JobFailed: It could not be signed.
        """
        if self.signer is None or job.claim.is_background:
            return content
        picture = job.drawing.picture
        inputs: dict[str, str] = {}
        if picture is not None:
            inputs["input picture"] = picture.sha256
            if picture.mask is not None:
                inputs["mask"] = picture.mask_sha256
        source = source_of(is_composite=picture is not None)
        manifest = manifest_of(source=source, inputs=inputs, version=tabard_version())
        kind = f"image/{job.written.format}"
        try:
            signed = self.signer.sign(content, media_type=kind, manifest=manifest)
        except JobFailed as error:
            self._metrics.signatures.labels(outcome="failed").inc()
            log_problem("image.not_signed", reason=error.reason, error=error, job=job.id)
            raise
        self._metrics.signatures.labels(outcome="signed").inc()
        return signed


def clearance_for(settings: Settings, *, classify: Classify | None, metrics: Metrics) -> Clearance:
    """Return what the pictures of a server go through.

    Raises:
        BadSettings: The certificate cannot be used, or not any more.
    """
    return Clearance(
        metrics=metrics,
        safety=None if classify is None else SafetyCheck(classify, settings=settings.safety),
        signer=signer_for(settings.c2pa),
    )
