# SPDX-License-Identifier: Apache-2.0
"""Examine a registry and take care of it where it lies; no server is needed, and all may go on."""

TITLE = "Look after"
COMMANDS = {
    "backup": "Copy a whole registry into FOLDER, as it is at one record of its log; acts may go "
    "on.",
    "checkpoint": "Write down the state, so that opening the registry need not read its whole log.",
    "doctor": "Examine the place of a registry before trusting it: races, missing objects, "
    "rules, clock.",
    "fsck": "Examine a registry: log, checkpoints, state, blobs, index.",
    "gc": "Tell what no release needs, or with --run delete it.",
    "restore": "Make the place URL into the registry that FOLDER holds, with its id and history.",
}
