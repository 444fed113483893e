# SPDX-License-Identifier: Apache-2.0
"""Look at releases, move channels, vouch, fetch back; what withdraws a release is in `withdraw`."""

TITLE = "Release"
COMMANDS = {
    "diff": "Compare two releases: layers, ranks, norms, and what they say.",
    "edit": "Amend what is said of a release: notes, licence, title, purpose, trigger words.",
    "history": "Show what happened, oldest first: who did what, when and why.",
    "key": "Make keys, and say which of them a namespace trusts.",
    "list": "List all adapters with their channels.",
    "promote": "Move a channel to a release: the next request by that channel wears it.",
    "pull": "Fetch the files of a release, every byte verified.",
    "rollback": "Return a channel to the release before, at once.",
    "search": "Find adapters that have all the words, best first.",
    "show": "Show an adapter (NS/NAME), or one release of it (@CHANNEL, @VERSION, @RANGE, "
    "@sha256:…).",
    "sign": "Sign a release with your key, after checking what is signed.",
    "watch": "Show records as they happen, until interrupted.",
}
