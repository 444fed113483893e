# SPDX-License-Identifier: Apache-2.0
"""Draw images, and draw them again."""

TITLE = "Generate"
COMMANDS = {
    "generate": "Draw images, wearing any number of adapters; from noise, or from a picture.",
    "job": "Look after jobs that go on without their connection.",
    "replay": "Make an image again from its provenance, and say what differs.",
}
