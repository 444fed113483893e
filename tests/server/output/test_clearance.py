# SPDX-License-Identifier: Apache-2.0
"""What is looked at and what is signed: all that callers are sent, and nothing of the server's."""

from typing import Any

import pytest

from tabard_server.c2pa.signer import Signer, signer_for
from tabard_server.engine_port.drawing import Picture
from tabard_server.errors import ImageWithheld, JobFailed
from tabard_server.output.clearance import Clearance
from tabard_server.output.marking import COMPOSITE, TRAINED
from tabard_server.safety.check import SafetyCheck
from tabard_server.scheduler.claims import Priority
from tabard_server.telemetry.metrics import Metrics
from tests.server.c2pa.authority import Issued, issue, read
from tests.server.drawings import drawing
from tests.server.jobs.small_jobs import job
from tests.server.output.made_pictures import encode, picture
from tests.server.safety.classifiers import Eye, noise, safety, scores
from tests.server.telemetry.logged import logged

OWN = [Priority.BACKGROUND, Priority.SHADOW]
PNG = encode(picture())


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("credential"))


@pytest.fixture(scope="module")
def signer(issued: Issued) -> Signer:
    found = signer_for(issued.settings)
    assert found is not None
    return found


def clearance(eye: Eye | None = None, signer: Any = None, **changes: Any) -> Clearance:
    """Return one at work."""
    check = None if eye is None else SafetyCheck(eye, settings=safety(**changes))
    found = Clearance(metrics=Metrics(), safety=check, signer=signer)
    found.start()
    return found


def count(found: Clearance, name: str, **labels: str) -> float | None:
    return found._metrics.registry.get_sample_value(f"tabard_{name}_total", labels)


def test_nothing_is_on_unless_said() -> None:
    """Files pass as they are, and nobody looks at them."""
    found = clearance()

    assert found.judge(noise(), job=job(), index=0) is None
    assert found.sign(PNG, job=job()) == PNG


@pytest.mark.parametrize("priority", OWN)
def test_what_the_server_draws_for_itself_passes(priority: Priority, signer: Signer) -> None:
    """Evaluations and canaries measure what a release draws, and keep it by its digest."""
    eye = Eye(sees=scores(nsfw=1.0))
    found = clearance(eye, signer)

    assert found.judge(noise(), job=job(priority=priority), index=0) is None
    assert found.sign(PNG, job=job(priority=priority)) == PNG
    assert not eye.seen
    found.close()


def test_withheld_image_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """By what it was taken for; of the prompt nothing is said."""
    found = clearance(Eye(sees=scores(nsfw=0.8)))
    caplog.set_level("INFO")

    with pytest.raises(ImageWithheld, match="nsfw"):
        found.judge(noise(), job=job(drawing=drawing(prompt="secret")), index=2)

    (line,) = logged(caplog, "image.judged")
    wanted = {"index": 2, "verdict": "withheld", "label": "nsfw", "score": 0.8}
    assert {name: line[name] for name in wanted} == wanted
    assert "secret" not in str(line)
    assert count(found, "safety_verdicts", verdict="withheld") == 1.0
    found.close()


@pytest.mark.parametrize(("policy", "action"), [("flag", "flagged"), ("blur", "blurred")])
def test_other_policies_give_the_verdict(policy: Any, action: str) -> None:
    """Whoever writes the image heeds it."""
    found = clearance(Eye(sees=scores(nsfw=0.8)), policy=policy)

    verdict = found.judge(noise(), job=job(), index=0)

    assert verdict is not None and verdict.action == action
    assert count(found, "safety_verdicts", verdict=action) == 1.0
    found.close()


def test_failing_check_is_counted() -> None:
    """It lets nothing pass, whatever the policy."""
    found = clearance(Eye(error=RuntimeError("no")), policy="flag")

    with pytest.raises(JobFailed):
        found.judge(noise(), job=job(), index=0)

    assert count(found, "safety_verdicts", verdict="failed") == 1.0
    found.close()


def test_signature_says_what_was_sent(issued: Issued, signer: Signer) -> None:
    """Of words alone; and over a picture, with the digests of what was sent."""
    plain = clearance(signer=signer).sign(PNG, job=job())
    sent = Picture(
        pixels=noise(),
        sha256="a" * 64,
        sent_size=(64, 48),
        mask=noise()[..., 0],
        mask_sha256="b" * 64,
    )
    over = clearance(signer=signer).sign(
        PNG, job=job(drawing=drawing(width=64, height=48, picture=sent, strength=0.5))
    )

    seen = read(plain, ca=issued.ca)
    assert (seen.action["digitalSourceType"], seen.manifest.get("ingredients", [])) == (TRAINED, [])
    seen = read(over, ca=issued.ca)
    assert seen.action["digitalSourceType"] == COMPOSITE
    told = [(one["title"], one["instance_id"]) for one in seen.manifest["ingredients"]]
    assert told == [("input picture", f"sha256:{'a' * 64}"), ("mask", f"sha256:{'b' * 64}")]


def test_unsigned_file_is_never_returned(signer: Signer, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be signed is an error, counted, and logged with its cause."""
    found = clearance(signer=signer)

    with pytest.raises(JobFailed) as failure:
        found.sign(b"no picture", job=job())

    assert failure.value.reason == "SIGNING_FAILED"
    assert count(found, "signatures", outcome="failed") == 1.0
    assert count(found, "signatures", outcome="signed") == 0.0
    assert len(logged(caplog, "image.not_signed")) == 1
