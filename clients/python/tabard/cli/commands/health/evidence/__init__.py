# SPDX-License-Identifier: Apache-2.0
"""`tabard evidence …`: the documents about releases."""

import click

from tabard.cli.lazy_group import LazyGroup

COMMANDS = {
    "edit": "Complete the newest report on a release; what was measured stays.",
    "export": "Write a report as an in-toto statement, signed with your key if you give one.",
    "file": "Keep the review of a release in its evidence, as it stands: report, reviews, votes.",
    "list": "List the documents about a release, newest first.",
    "show": "Show a document about a release: scores, prompts, candidates, checks, verdict.",
}


@click.group(cls=LazyGroup, folders=(__name__,))
def evidence() -> None:
    """Read and complete what is known of releases.

    Every command here takes --json. Scores inform; a person decides.

    \b
    tabard evidence list acme/watercolor@1.1.0
    tabard evidence show acme/watercolor@1.1.0 --save report/
    tabard evidence edit acme/watercolor@1.1.0 --set checks.copyright=clear --note "own drawings"
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
