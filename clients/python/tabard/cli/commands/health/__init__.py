# SPDX-License-Identifier: Apache-2.0
"""Judge releases before people see them; scores inform, and a person decides."""

TITLE = "Release health"
COMMANDS = {
    "canary": "Try a release beside what a channel serves, and take it back if it is worse.",
    "choose": "Say which kind of fine-tuning fits: a word, a style or a subject.",
    "compare": "Draw releases side by side: every one at every weight, with every prompt and seed.",
    "evaluate": "Draw a release beside what it would replace, and judge it.",
    "evidence": "Read and complete what is known of releases.",
    "grid": "Keep the grids that releases are judged with.",
    "lookup": "Find a picture again among the evidence of releases, and how it was made.",
    "references": "Keep pictures of what releases shall look like, or were trained on.",
    "report": "Complain of a picture that the server drew not long ago.",
    "review": "Approve of a release, or reject it; the newest word of a reviewer counts.",
    "reviews": "Show what people decided about a release, and how the blind votes stand.",
    "vote": "Choose the better of two pictures, one of them the release's, without knowing which.",
}
