# SPDX-License-Identifier: Apache-2.0
"""A real server that signs and looks: real pixels, the library's reader, transformers' pipeline."""

import io
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import pipeline

from tabard import Client, FailedPrecondition
from tests.e2e.conftest import RunningServer, run_server
from tests.server.c2pa.authority import SUBJECT, Issued, issue, read
from tests.server.safety.classifiers import LABELS, save_vit

SAID: dict[str, Any] = {"seed": 7, "num_inference_steps": 3}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("credential"))


@pytest.fixture(scope="module")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vit(tmp_path_factory.mktemp("eye"), lifts="nsfw")


@pytest.fixture(scope="module")
def flagging(
    tiny_base: Path, issued: Issued, eye: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server that signs everything, and says what it takes it for."""
    said = _safety(eye, policy="flag") | {
        "c2pa_certificate": issued.certificate,
        "c2pa_key": issued.key,
    }
    folder = tmp_path_factory.mktemp("flagging")
    with run_server(folder, base=tiny_base, is_forked=True, log_level="debug", **said) as server:
        yield server


def test_image_is_signed_and_judged_as_the_pipeline_does(
    flagging: RunningServer, issued: Issued, eye: Path
) -> None:
    """The score in its provenance is that of the same pixels by transformers alone."""
    with Client(flagging.address) as client:
        image = client.generate("a red circle", **SAID).images[0]
        status = client.status()

    assert read(image.content, ca=issued.ca).state == "Trusted"
    oracle: Any = pipeline("image-classification", model=str(eye), device="cpu")
    pixels = Image.open(io.BytesIO(image.content)).convert("RGB")
    wanted = {one["label"]: one["score"] for one in oracle(pixels, top_k=len(LABELS))}
    told = image.provenance["safety"]
    assert (told["action"], told["label"], told["model"]) == ("flagged", "nsfw", eye.name)
    assert told["score"] == pytest.approx(wanted["nsfw"], abs=2e-4)
    assert status.c2pa is not None and status.c2pa.subject == SUBJECT
    assert status.safety is not None and not status.safety.failure


def test_signed_image_comes_again_in_pixels(flagging: RunningServer) -> None:
    """The files differ, as their signatures do; what they say does not."""
    with Client(flagging.address) as client:
        image = client.generate("a red circle", deterministic=True, **SAID).images[0]
        again = client.replay(image.content)

    assert (again.outcome, [one.name for one in again.differences]) == ("same_pixels", ["file"])


def test_key_and_prompt_are_in_no_log(flagging: RunningServer, issued: Issued) -> None:
    """Nor in what the page of metrics says; both are counted there."""
    with Client(flagging.address) as client:
        client.generate("an unspoken word", **SAID)
    log = flagging.log.read_text()
    with urllib.request.urlopen(f"http://{flagging.metrics_address}/metrics", timeout=60) as page:
        metrics = page.read().decode()

    secret = issued.key.read_text().splitlines()[1]
    assert secret not in log + metrics
    assert "unspoken" not in log + metrics
    assert '"image.judged"' in log and '"safety.loaded"' in log
    assert 'tabard_safety_verdicts_total{verdict="flagged"}' in metrics
    assert 'tabard_signatures_total{outcome="failed"} 0.0' in metrics


def test_withheld_image_leaves_nothing(tiny_base: Path, eye: Path, tmp_path: Path) -> None:
    """The caller has a reason, and the command line says it."""
    said = _safety(eye, policy="withhold")
    with run_server(tmp_path, base=tiny_base, is_forked=True, **said) as server:
        with Client(server.address) as client, pytest.raises(FailedPrecondition) as failure:
            client.generate("a red circle", num_images=2, **SAID)
        ran = subprocess.run(
            [sys.executable, "-m", "tabard", "generate", "x", "--out", str(tmp_path / "out")],
            env={**os.environ, "TABARD_ADDRESS": server.address},
            capture_output=True,
            text=True,
            check=False,
        )

    assert failure.value.reason == "IMAGE_WITHHELD"
    assert [one.field for one in failure.value.violations] == ["images[0]", "images[1]"]
    assert ran.returncode != 0 and "withholds the image" in ran.stderr
    assert not list((tmp_path / "out").glob("*"))


def _safety(eye: Path, *, policy: str) -> dict[str, object]:
    labels = json.dumps([{"label": "nsfw"}, {"label": "gore", "threshold": 0.9}])
    return {"safety_path": eye, "safety_labels": labels, "safety_policy": policy}
