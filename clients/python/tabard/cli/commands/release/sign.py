# SPDX-License-Identifier: Apache-2.0
"""`tabard sign`: vouch for a release that a server holds; needs the extra `registry`.

What is signed is fetched and checked here: its digest, its name, and the author's own files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from tabard.cli import completion
from tabard.cli.files.sources import file_digest
from tabard.cli.local.keys import SigningKey
from tabard.cli.local.registry import library, sdk_errors
from tabard.cli.session import Session, with_session
from tabard.errors import InvalidArgument
from tabard.releases import Manifest

_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("ref", metavar="REF", shell_complete=completion.refs)
@click.option("--key", "key_file", required=True, type=_PATH, help="Your private key.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=_PATH,
    help="A file that was published; sign only if it is in the release. Repeatable.",
)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def sign(
    session: Session, *, ref: str, key_file: Path, files: tuple[Path, ...], reason: str
) -> None:
    """Sign a release with your key, after checking what is signed.

    Fetches the release's manifest, checks its digest and, with --file, that it was made from your
    file; then signs the digest here and puts the signature beside the release. The private key
    never leaves this machine.

    \b
    tabard sign acme/watercolor@1.0.0 --key ann.pem --file watercolor.safetensors
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    digest_class = library(needed_for="tabard sign").Digest
    key = SigningKey(key_file, needed_for="tabard sign")
    with session.connect() as client:
        manifest = client.manifest(ref)
        release = manifest.release
        _check_name(manifest)
        _check_files(manifest, files)
        with sdk_errors():
            signature = key.sign(digest_class.parse(release.digest))
        # By digest, so that the signature goes to what was checked and to nothing else.
        exact = f"{release.adapter}@{release.digest}"
        signed = client.sign(exact, key_id=key.id, signature=signature, reason=reason)
    session.output.answer(signed, f"{signed.adapter} {signed.version} is signed by key {key.id}")


def _check_name(manifest: Manifest) -> None:
    """Refuse a manifest that is another release's: its digest would be true all the same."""
    document, release = manifest.document, manifest.release
    told, is_in_it = (release.adapter, release.version), (document["adapter"], document["version"])
    if told != is_in_it:
        raise InvalidArgument(
            f"the server gave the manifest of {'@'.join(is_in_it)} for {'@'.join(told)}",
            reason="MANIFEST_MISMATCH",
            hint="sign nothing there; look into that server",
        )


def _check_files(manifest: Manifest, files: Sequence[Path]) -> None:
    for file in files:
        digest = file_digest(file)
        if digest not in manifest.original_digests:
            release = manifest.release
            raise InvalidArgument(
                f"{release.adapter} {release.version} was not made from {file} ({digest})",
                reason="FILE_MISMATCH",
                hint=f"it was made from {', '.join(manifest.original_digests) or 'releases'}",
            )
