# SPDX-License-Identifier: Apache-2.0
"""Examine a registry and take care of it where it lies; no server is needed, and all may go on."""

TITLE = "Look after"
COMMANDS = {
    "checkpoint": "Write down the state, so that opening the registry need not read its whole log.",
    "doctor": "Examine the place of a registry before trusting it: races, missing objects, "
    "rules, clock.",
    "export": "Copy a whole registry into FOLDER, which is then a registry with the same id and "
    "history.",
    "fsck": "Examine a registry: log, checkpoints, state, blobs, index.",
    "gc": "Tell what no release needs, or with --run delete it.",
}
