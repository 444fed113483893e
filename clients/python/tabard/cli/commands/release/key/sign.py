# SPDX-License-Identifier: Apache-2.0
"""`tabard key sign`: vouch for a release where the registry lies, or for a digest alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tabard.cli.local.keys import SigningKey
from tabard.cli.local.registry import (
    REGISTRY_VARIABLE,
    author,
    library,
    open_registry,
    sdk_errors,
)
from tabard.cli.output import Output
from tabard.cli.session import with_output
from tabard.errors import InvalidArgument

_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("release", metavar="DIGEST|REF")
@click.option("--key", "file", required=True, type=_PATH, help="The private key.")
@click.option(
    "--registry",
    "url",
    envvar=REGISTRY_VARIABLE,
    metavar="URL",
    help=f"For a REF: where it is, and where the signature goes; default ${REGISTRY_VARIABLE}.",
)
@click.option("--reason", default="", help="Why; kept in the history.")
@with_output
def sign(output: Output, *, release: str, file: Path, url: str | None, reason: str) -> None:
    """Sign a release.

    A DIGEST, sha256:…, is signed here and the signature is shown. A REF, NS/NAME@VERSION, is looked
    up in the registry, signed here, and the signature is put beside it there.
    """
    names = library(needed_for="tabard key sign")
    key = SigningKey(file, needed_for="tabard key sign")
    with sdk_errors():
        if release.startswith("sha256:"):
            digest = names.Digest.parse(release)
            document = _signed(digest, key.id, key.sign(digest))
            output.answer(document, document["signature"])
            return
        ref = names.AdapterRef.parse(release)
    if not url:
        raise click.UsageError(f"A REF needs --registry, or the variable {REGISTRY_VARIABLE}.")
    with open_registry(url, needed_for="tabard key sign") as registry:
        found = registry.state.find(ref)
        _refuse_other(registry.manifest(found.digest), found)
        signature = key.sign(found.digest)
        registry.sign(ref, key_id=key.id, signature=signature, author=author(reason))
    document = _signed(found.digest, key.id, signature) | {"release": str(found)}
    output.answer(document, f"{found} is signed by key {key.id}")


def _refuse_other(manifest: Any, release: Any) -> None:
    """Refuse to sign a digest that is another release's: the log says which, the manifest is it."""
    if (manifest.adapter, manifest.version) != (release.adapter, release.version):
        raise InvalidArgument(
            f"the log says {release}, but the manifest is of {manifest.adapter}@{manifest.version}",
            reason="MANIFEST_MISMATCH",
            hint="Sign nothing there; `tabard fsck --deep` tells more.",
        )


def _signed(digest: Any, key_id: str, signature: str) -> dict[str, str]:
    return {"digest": str(digest), "key_id": key_id, "signature": signature}
