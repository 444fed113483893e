# SPDX-License-Identifier: Apache-2.0
"""`tabard key new`: a pair of keys, of which the private half stays here."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tabard.calls.local_files import writing
from tabard.cli.local.keys import key_id
from tabard.cli.local.registry import library
from tabard.cli.output import Output
from tabard.cli.session import with_output
from tabard.errors import AlreadyExists

_PRIVATE = 0o600


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@with_output
def new(output: Output, *, file: Path) -> None:
    """Make a key: the private half goes to FILE, which must not exist, the public one is shown."""
    signing = library("trust.signatures", needed_for="tabard key new")
    pair = signing.new_key_pair()
    with writing(file, hint="name a file in a folder that is there and takes it"):
        _write_new(file, pair.private_key_pem)
    document = {"file": str(file), "public_key": pair.public_key, "id": key_id(pair.public_key)}
    output.say(f"private key in {file}: keep it to yourself")
    output.say(f"key id {document['id']}; the public key, for `tabard key trust`:")
    # Alone on stdout, so that a shell can take it.
    output.answer(document, pair.public_key)


def _write_new(file: Path, content: bytes) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    except FileExistsError as error:
        raise AlreadyExists(
            f"{file} exists", reason="FILE_EXISTS", hint="Keys are never overwritten: name another."
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as opened_file:
            opened_file.write(content)
    except OSError:
        file.unlink(missing_ok=True)
        raise
