# SPDX-License-Identifier: Apache-2.0
"""Run a server, and operate it."""

TITLE = "Serve"
COMMANDS = {
    "config": "Show, check and write the settings of a server.",
    "drain": "Refuse new jobs and finish the running ones.",
    "serve": "Serve images until interrupted; Ctrl-C finishes the running jobs.",
    "status": "Show what the server is, how busy, and which releases lie in memory.",
    "top": "Show what the server does, live.",
    "warm": "Bring a release into memory ahead of its first request.",
    "web": "Serve the APIs that image tools speak, in front of a server, until interrupted.",
}
