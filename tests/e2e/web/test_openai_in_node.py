# SPDX-License-Identifier: Apache-2.0
"""OpenAI's npm client, in front of a real server; `make page` fetches it."""

import base64
import json
import shutil
import subprocess

import pytest

from tabard import Client
from tests.e2e.page.browser import TOOLS, required

SCRIPT = """
import { createRequire } from 'node:module';
const require = createRequire(process.argv[2] + '/package.json');
const OpenAI = require('openai');
const { toFile } = OpenAI;
const client = new OpenAI({ baseURL: process.argv[3] + '/v1', apiKey: 'none', maxRetries: 0 });
const own = { num_inference_steps: 6, seed: 7, deterministic: true };
const told = {};
const image = await client.images.generate({ prompt: 'a cat', model: 'acme/ink:0.8', ...own });
told.image = image.data[0].b64_json;
told.events = [];
const asked = { prompt: 'a cat', model: 'acme/ink:0.8', stream: true, partial_images: 2, ...own };
for await (const event of await client.images.generate(asked)) {
  told.events.push(event.type);
  told.streamed = event.b64_json;
}
const file = await toFile(Buffer.from(told.image, 'base64'), 'a.png', { type: 'image/png' });
const edit = await client.images.edit({ image: file, prompt: 'a cat', strength: 0.5, ...own });
told.edit = edit.data.length;
told.models = (await client.models.list()).data.map((model) => model.id);
try {
  await client.images.generate({ prompt: 'a cat', model: 'dall-e-3' });
} catch (error) {
  told.error = [error instanceof OpenAI.NotFoundError, error.code, error.param];
}
console.log(JSON.stringify(told));
"""

pytestmark = pytest.mark.page


def test_npm_client_draws_edits_and_streams(gateway: str, styled_client: Client) -> None:
    """What the SDK gets, the npm client gets; its errors are its own."""
    node = required("node", shutil.which("node"))
    required("openai of npm", TOOLS / "node_modules/openai/package.json")
    ran = subprocess.run(
        [node, "--input-type=module", "-", TOOLS, gateway],
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = styled_client.generate(
        "a cat", adapters="acme/ink:0.8", num_inference_steps=6, seed=7, deterministic=True
    )

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert base64.b64decode(told["image"]) == wanted.images[0].content
    assert told["streamed"] == told["image"]
    assert told["events"] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert told["edit"] == 1
    assert {"base", "acme/ink"} <= {*told["models"]}
    assert told["error"] == [True, "model_not_found", "model"]
