# SPDX-License-Identifier: Apache-2.0
"""`tabard serve --web`: one command, two processes, one end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import openai
import pytest

from tests.waiting.processes import await_process
from tests.web.running import free_address, until


def is_there(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_gateway_begins_and_ends_with_its_server(
    tiny_base: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """It draws meanwhile, and does not outlive a server that was killed."""
    listen = free_address()
    command = [sys.executable, "-m", "tabard", "serve", "--json", "--base", str(tiny_base)]
    command += ["--registry", str(tmp_path / "registry"), "--web", listen, "--device", "cpu"]
    command += ["--listen", "127.0.0.1:0", "--metrics-listen", ""]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TABARD_")}
    log = tmp_path / "log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=sink) as process,
    ):
        try:
            await_process(process, lambda: is_there(f"http://{listen}"), log=log, what="no gateway")
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["address"]
            with openai.OpenAI(base_url=f"http://{listen}/v1", api_key="none") as tool:
                drawn = tool.images.generate(prompt="a", extra_body={"num_inference_steps": 2})
        finally:
            process.send_signal(number)
    until(lambda: not is_there(f"http://{listen}"))

    assert drawn.data
