# SPDX-License-Identifier: Apache-2.0
"""Draw images, and draw them again."""

TITLE = "Generate"
COMMANDS = {
    "generate": "Draw images, wearing any number of adapters; from noise, or from a picture.",
    "replay": "Make an image again from its provenance, and say what differs.",
}
