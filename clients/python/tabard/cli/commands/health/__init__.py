# SPDX-License-Identifier: Apache-2.0
"""Judge releases before people see them; scores inform, and a person decides."""

TITLE = "Release health"
COMMANDS = {
    "canary": "Try a release beside what a channel serves, and take it back if it is worse.",
    "compare": "Draw releases side by side: every one at every weight, with every prompt and seed.",
    "evaluate": "Draw a release beside what it would replace, and judge it.",
    "evidence": "Read and complete what is known of releases.",
    "report": "Complain of a picture that the server drew not long ago.",
}
