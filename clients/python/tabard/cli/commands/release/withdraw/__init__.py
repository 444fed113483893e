# SPDX-License-Identifier: Apache-2.0
"""Take a release out of service, and back: one shape, `withdrawal`, for all."""

TITLE = "Release"
COMMANDS = {
    "lift": "Undo a quarantine.",
    "purge": "Delete the bytes of a release for good; its record stays.",
    "quarantine": "Stop serving a release now, on every server; its bytes are kept.",
    "unyank": "Undo a yank.",
    "yank": "Take a release out of resolution by channel and range; exact pins still work.",
}
