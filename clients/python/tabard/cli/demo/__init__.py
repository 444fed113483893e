# SPDX-License-Identifier: Apache-2.0
"""`tabard demo`: the main job from publish to rollback, through the public surface alone."""

TITLE = "Serve"
COMMANDS = {"demo": "Show the whole of Tabard, end to end, with nothing to set up."}
