# SPDX-License-Identifier: Apache-2.0
"""Judge releases before people see them; scores inform, and a person decides."""

TITLE = "Release health"
COMMANDS = {
    "evaluate": "Draw a release beside what it would replace, and judge it.",
    "review": "Approve of a release, or reject it; the newest word of a reviewer counts.",
    "reviews": "Show what people decided about a release, and how the blind votes stand.",
}
