# SPDX-License-Identifier: Apache-2.0
"""Bring files in: look at them, turn them into adapters, publish them."""

TITLE = "Publish"
COMMANDS = {
    "check": "Say whether a file will work on a base, completely; publish nothing.",
    "extract": "Turn a whole checkpoint (folder, .safetensors file, hub id) into an adapter of "
    "its base.",
    "import": "Publish all adapters of a UI's folders.",
    "publish": "Publish files as one release of an adapter.",
    "recipe": "Publish a weighted combination of releases, locked to what they are now.",
}
