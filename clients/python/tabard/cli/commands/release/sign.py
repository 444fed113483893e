# SPDX-License-Identifier: Apache-2.0
"""`tabard sign`: vouch for a release, at a server, in a registry at hand, or for a digest alone.

What is signed is checked here first: its digest, its name, the author's own files. Needs the extra
`registry`; the private key never leaves this machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tabard.calls.local_files import unreadable
from tabard.cli import completion
from tabard.cli.files.sources import file_digest
from tabard.cli.local.keys import SigningKey
from tabard.cli.local.registry import (
    REGISTRY_VARIABLE,
    author,
    library,
    open_registry,
    sdk_errors,
)
from tabard.cli.session import Session, with_session
from tabard.errors import InvalidArgument

_NEEDED_FOR = "tabard sign"
_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("ref", metavar="REF|DIGEST", shell_complete=completion.refs)
@click.option("--key", "key_file", required=True, type=_PATH, help="Your private key.")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=_PATH,
    help="A file that was published; sign only if it is in the release. Repeatable.",
)
@click.option(
    "--registry",
    "url",
    metavar="URL",
    help=f"A registry at hand, without a server; default ${REGISTRY_VARIABLE} when no server is "
    "named.",
)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_session
def sign(
    session: Session,
    *,
    ref: str,
    key_file: Path,
    files: tuple[Path, ...],
    url: str | None,
    reason: str,
) -> None:
    """Sign a release with your key, after checking what is signed.

    Fetches the release's manifest, checks its digest and, with --file, that it was made from your
    file; then signs the digest here and puts the signature beside the release. The private key
    never leaves this machine. A DIGEST, sha256:…, is signed alone, and the signature is shown.

    \b
    tabard sign acme/watercolor@1.0.0 --key ann.pem --file watercolor.safetensors
    tabard sign acme/watercolor@1.0.0 --key ann.pem --registry s3://styles/team
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is
    key = SigningKey(key_file, needed_for=_NEEDED_FOR)
    if ref.startswith("sha256:"):
        if files:
            raise click.UsageError("--file goes with a REF: a digest alone says nothing of files")
        answer = _signed(ref, key=key)
        session.output.answer(answer, answer["signature"])
        return
    if url is None and not session.names_a_server:
        url = os.environ.get(REGISTRY_VARIABLE) or None
    if url is not None:
        answer = _sign_here(url, ref, key=key, files=files, reason=reason)
    else:
        answer = _sign_there(session, ref, key=key, files=files, reason=reason)
    said = f"{answer['release']} is signed by key {key.id}"
    already = f"nothing changed, and no reason was taken: {said} already"
    session.output.answer(answer, said if answer["changed"] else already)


def _sign_there(
    session: Session, ref: str, *, key: SigningKey, files: Sequence[Path], reason: str
) -> dict[str, Any]:
    with session.connect() as client:
        manifest = client.manifest(ref)
        release = manifest.release
        name, document = f"{release.adapter}@{release.version}", manifest.document
        _check_name(name, is_in_it=f"{document['adapter']}@{document['version']}")
        _check_files(files, name=name, originals=manifest.original_digests)
        answer = _signed(release.digest, key=key) | {"release": name}
        # By digest, so that the signature goes to what was checked and to nothing else.
        done = client.sign(
            f"{release.adapter}@{release.digest}",
            key_id=key.id,
            signature=answer["signature"],
            reason=reason,
        )
    return answer | {"changed": done.changed}


def _sign_here(
    url: str, ref: str, *, key: SigningKey, files: Sequence[Path], reason: str
) -> dict[str, Any]:
    names = library(needed_for=_NEEDED_FOR)
    with open_registry(url, needed_for=_NEEDED_FOR) as registry:
        found = registry.state.find(names.AdapterRef.parse(ref))
        manifest = registry.manifest(found.digest)
        _check_name(str(found), is_in_it=f"{manifest.adapter}@{manifest.version}")
        originals = tuple(str(blob.sha256) for blob in manifest.original)
        _check_files(files, name=str(found), originals=originals)
        answer = _signed(str(found.digest), key=key) | {"release": str(found)}
        exact = names.AdapterRef(adapter=found.adapter, selector=names.ByDigest(found.digest.hex))
        done = registry.sign(
            exact, key_id=key.id, signature=answer["signature"], author=author(reason)
        )
    return answer | {"changed": done.changed}


def _signed(digest: str, *, key: SigningKey) -> dict[str, str]:
    digest_class: Any = library(needed_for=_NEEDED_FOR).Digest
    with sdk_errors():
        signature = key.sign(digest_class.parse(digest))
    return {"digest": digest, "key_id": key.id, "signature": signature}


def _check_name(name: str, *, is_in_it: str) -> None:
    """Refuse a manifest that is another release's: its digest would be true all the same."""
    if name != is_in_it:
        raise InvalidArgument(
            f"the manifest of {name} is that of {is_in_it}",
            reason="MANIFEST_MISMATCH",
            hint="sign nothing there; `tabard fsck --deep` on its registry tells more",
        )


def _check_files(files: Sequence[Path], *, name: str, originals: Sequence[str]) -> None:
    for file in files:
        try:
            digest = file_digest(file)
        except OSError as error:
            raise unreadable(file, error) from error
        if digest not in originals:
            raise InvalidArgument(
                f"{name} was not made from {file} ({digest})",
                reason="FILE_MISMATCH",
                hint=f"it was made from {', '.join(originals) or 'releases'}",
            )
