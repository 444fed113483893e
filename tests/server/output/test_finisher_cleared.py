# SPDX-License-Identifier: Apache-2.0
"""Images on their way through the clearance: blurred, withheld one by one, signed with previews."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabard_server.c2pa.signer import signer_for
from tabard_server.errors import JobFailed
from tabard_server.jobs.job import Failed, ImageReady, Preview, Written
from tabard_server.output.provenance import JSON_CHUNK
from tabard_server.safety.blurring import blurred
from tabard_server.safety.check import SafetyCheck
from tests.server.c2pa.authority import issue, read
from tests.server.harness import chunks_of, pixels_of
from tests.server.jobs.small_jobs import running
from tests.server.output.finishing import DRAWN, Readback, finishing
from tests.server.safety.classifiers import Eye, safety, scores

KINDS: list[Any] = ["png", "jpeg", "webp"]


class Refusing:
    """Signs nothing."""

    def sign(self, content: bytes, **_said: Any) -> bytes:
        raise JobFailed("no", reason="SIGNING_FAILED")


def check(eye: Eye, **changes: Any) -> SafetyCheck:
    return SafetyCheck(eye, settings=safety(**changes))


@pytest.mark.parametrize(
    ("policy", "action"), [("flag", "flagged"), ("blur", "blurred"), ("flag", "passed")]
)
def test_verdict_stands_in_the_file_and_beside_it(policy: Any, action: str) -> None:
    """In the JSON, and in A1111's text; the pixels are blurred where it says so."""
    one = running()
    eye = Eye(sees=scores(nsfw=0.0 if action == "passed" else 0.75))

    with finishing(safety=check(eye, policy=policy)) as finisher:
        finisher.finish(one.run, index=0, readback=Readback())

    image = next(event for event in one.sent if isinstance(event, ImageReady))
    texts = chunks_of(image.content)
    told = json.loads(image.provenance_json)["safety"]
    wanted = {"action": action, "model": "eye"}
    if action != "passed":
        wanted |= {"label": "nsfw", "score": 0.75}
    assert told == json.loads(texts[JSON_CHUNK])["safety"] == wanted
    word = action if action == "passed" else f"{action} (nsfw 0.75)"
    assert f"Safety check: {word}, Version: tabard 1" in texts["parameters"]
    assert np.array_equal(pixels_of(image.content), blurred(DRAWN) if policy == "blur" else DRAWN)
    assert image.is_altered == (policy == "blur")


def test_withheld_image_costs_its_job_no_other() -> None:
    """The others are sent; the end names each that is not, and nothing of it is anywhere."""
    one, eye = running(images=3), Eye(sees=scores())

    with finishing(safety=check(eye)) as finisher:
        finisher.finish(one.run, index=0, readback=Readback())
    with finishing(safety=check(Eye(sees=scores(nsfw=0.9)))) as finisher:
        finisher.finish(one.run, index=1, readback=Readback())
        finisher.finish(one.run, index=2, readback=Readback())

    (image, end) = one.sent
    assert isinstance(image, ImageReady) and image.index == 0
    assert isinstance(end, Failed)
    error: Any = end.error
    assert error.reason == "IMAGE_WITHHELD"
    assert str(error).startswith("2 of 3 images are not sent")
    assert [(one.field, one.reason) for one in error.violations] == [
        ("images[1]", "IMAGE_WITHHELD"),
        ("images[2]", "IMAGE_WITHHELD"),
    ]


@pytest.mark.parametrize(
    ("clears", "reason"),
    [
        ({"safety": check(Eye(error=RuntimeError("no")))}, "SAFETY_CHECK_FAILED"),
        ({"safety": check(Eye(sees={}), policy="flag")}, "SAFETY_CHECK_FAILED"),
        ({"signer": Refusing()}, "SIGNING_FAILED"),
    ],
    ids=["raises", "no scores", "not signed"],
)
def test_what_fails_is_not_sent(clears: dict[str, Any], reason: str) -> None:
    """Neither the image nor its pixels in a preview, where it is the signature that fails."""
    one = running()

    with finishing(**clears) as finisher:
        if "signer" in clears:
            finisher.show(one.run, index=0, step=1, readback=Readback())
        finisher.finish(one.run, index=0, readback=Readback())

    (end,) = one.sent
    assert isinstance(end, Failed)
    assert getattr(end.error, "reason", "") == reason


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_sent_is_signed(kind: Any, tmp_path: Path) -> None:
    """Images and previews, in every format; what they say of themselves can still be read."""
    issued, one = issue(tmp_path), running(written=Written(format=kind))

    with finishing(signer=signer_for(issued.settings)) as finisher:
        finisher.show(one.run, index=0, step=1, readback=Readback())
        finisher.finish(one.run, index=0, readback=Readback())

    sent = [event for event in one.sent if isinstance(event, ImageReady | Preview)]
    assert [type(event) for event in sent] == [Preview, ImageReady]
    for event in sent:
        seen = read(event.content, ca=issued.ca, media_type=f"image/{kind}")
        assert (seen.state, seen.manifest["claim_generator_info"][0]["name"]) == (
            "Trusted",
            "Tabard",
        )
