# SPDX-License-Identifier: Apache-2.0
"""Draw images."""

TITLE = "Generate"
COMMANDS = {
    "generate": "Draw images, wearing any number of adapters; from noise, or from a picture.",
}
