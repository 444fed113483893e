# SPDX-License-Identifier: Apache-2.0
"""`tabard key …`: keys that sign releases, who trusts them, and what a namespace asks for.

Private keys stay in files of their owners; a registry sees only public halves and signatures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from tabard.cli.local.registry import (
    REGISTRY_VARIABLE,
    library,
    opened,
    registry_option,
    told_as_ours,
    who_acts,
)
from tabard.cli.output import Output, table
from tabard.cli.session import with_output
from tabard.errors import AlreadyExists, InvalidArgument

_PATH = click.Path(path_type=Path, dir_okay=False)
_PRIVATE = 0o600
_KEY_BYTES_MAX = 16 << 10
_REASON = click.option("--reason", default="", help="Why; kept in the history.")


@click.group()
def key() -> None:
    """Make keys, sign releases, and say which keys a namespace trusts.

    Every command here takes --json.

    \b
    tabard key new ann.pem
    tabard key trust acme PUBLIC_KEY --name ann --registry s3://styles/team
    tabard key sign acme/ink@1.2.0 --key ann.pem --registry s3://styles/team
    tabard key policy acme --require-signature --registry s3://styles/team
    """  # noqa: D301 - \b is click's mark for a paragraph to keep as it is


@key.command()
@click.argument("file", metavar="FILE", type=_PATH)
@with_output
def new(output: Output, *, file: Path) -> None:
    """Make a key: the private half goes to FILE, which must not exist, the public one is shown."""
    signing = library("trust.signatures", needed_for="tabard key new")
    pair = signing.new_key_pair()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
    except FileExistsError as error:
        raise AlreadyExists(
            f"{file} exists", reason="FILE_EXISTS", hint="Keys are never overwritten: name another."
        ) from error
    with os.fdopen(descriptor, "wb") as opened_file:
        opened_file.write(pair.private_key_pem)
    document = {"file": str(file), "public_key": pair.public_key, "id": _key_id(pair.public_key)}
    output.answer(
        document,
        f"private key in {file}: keep it to yourself",
        f"public key {pair.public_key}",
        f"key id {document['id']}",
    )


@key.command()
@click.argument("release", metavar="DIGEST|REF")
@click.option("--key", "file", required=True, type=_PATH, help="The private key.")
@click.option(
    "--registry",
    "url",
    envvar=REGISTRY_VARIABLE,
    metavar="URL",
    help=f"For a REF: where it is, and where the signature goes; default ${REGISTRY_VARIABLE}.",
)
@_REASON
@with_output
def sign(output: Output, *, release: str, file: Path, url: str | None, reason: str) -> None:
    """Sign a release.

    A DIGEST, sha256:…, is signed here and the signature is shown. A REF, NS/NAME@VERSION, is looked
    up in the registry, signed here, and the signature is put beside it there.
    """
    names = library(needed_for="tabard key sign")
    signing = library("trust.signatures", needed_for="tabard key sign")
    private_key = read_key(file)
    with told_as_ours():
        key_id = _key_id(signing.public_key_of(private_key))
        if release.startswith("sha256:"):
            digest = names.Digest.parse(release)
            document = _signed(digest, key_id, signing.sign_digest(private_key, digest))
            output.answer(document, document["signature"])
            return
        ref = names.AdapterRef.parse(release)
    if not url:
        raise click.UsageError(f"A REF needs --registry, or the variable {REGISTRY_VARIABLE}.")
    with opened(url, needed_for="tabard key sign") as registry:
        found = registry.state.find(ref)
        _refuse_other(registry.manifest(found.digest), found)
        signature = signing.sign_digest(private_key, found.digest)
        library("trust.keyring", needed_for="tabard key sign").sign_release(
            registry, ref, key_id=key_id, signature=signature, actor=who_acts(), reason=reason
        )
    document = _signed(found.digest, key_id, signature) | {"release": str(found)}
    output.answer(document, f"{found} is signed by key {key_id}")


@key.command()
@click.argument("namespace", metavar="NS")
@click.argument("public_key", metavar="PUBLIC_KEY")
@click.option("--name", required=True, help="Whose key it is.")
@registry_option
@_REASON
@with_output
def trust(
    output: Output, *, namespace: str, public_key: str, name: str, url: str, reason: str
) -> None:
    """Let a key sign the releases of a namespace."""
    signing = library("trust.keyring", needed_for="tabard key trust")
    with opened(url, needed_for="tabard key trust") as registry:
        trusted = signing.trust_key(
            registry, namespace, public_key=public_key, name=name, actor=who_acts(), reason=reason
        )
    output.answer(_key_document(trusted), f"{namespace} trusts key {trusted.id} ({name})")


@key.command()
@click.argument("namespace", metavar="NS")
@click.argument("key_id", metavar="KEY_ID")
@registry_option
@click.option("--reason", required=True, help="Why; kept in the history.")
@with_output
def revoke(output: Output, *, namespace: str, key_id: str, url: str, reason: str) -> None:
    """Let a key's signatures count no longer, old ones included. There is no way back."""
    signing = library("trust.keyring", needed_for="tabard key revoke")
    with opened(url, needed_for="tabard key revoke") as registry:
        revoked = signing.revoke_key(
            registry, namespace, key_id=key_id, actor=who_acts(), reason=reason
        )
    output.answer(_key_document(revoked), f"{namespace} trusts key {key_id} no longer")


@key.command()
@click.argument("namespace", metavar="NS")
@click.option(
    "--require-signature/--no-require-signature",
    "require_signature",
    default=None,
    help="Whether only releases that a trusted key signed are served.",
)
@registry_option
@_REASON
@with_output
def policy(
    output: Output, *, namespace: str, require_signature: bool | None, url: str, reason: str
) -> None:
    """Say whether a namespace serves only signed releases."""
    if require_signature is None:
        raise click.UsageError("Say --require-signature or --no-require-signature.")
    signing = library("trust.keyring", needed_for="tabard key policy")
    with opened(url, needed_for="tabard key policy") as registry:
        said = signing.set_policy(
            registry,
            namespace,
            require_signature=require_signature,
            actor=who_acts(),
            reason=reason,
        )
    served = "only signed releases" if require_signature else "every release"
    output.answer(said, f"{namespace} serves {served}")


@key.command(name="list")
@click.argument("namespace", metavar="[NS]", required=False, default="")
@registry_option
@with_output
def list_keys(output: Output, *, namespace: str, url: str) -> None:
    """Show the keys that namespaces trust, or trusted once, and what they ask for."""
    with opened(url, needed_for="tabard key list") as registry:
        state = registry.state
    keys = [one for one in state.keys.values() if namespace in ("", one.namespace)]
    asking = {name for name, one in state.policies.items() if one.require_signature}
    documents = [
        _key_document(one) | {"require_signature": one.namespace in asking}
        for one in sorted(keys, key=lambda one: (one.namespace, one.id))
    ]
    rows = [
        (
            one["namespace"],
            one["id"],
            one["name"],
            "revoked" if one["revoked"] else "trusted",
            "required" if one["require_signature"] else "",
            one["public_key"],
        )
        for one in documents
    ]
    found = table("namespace", "key", "name", "standing", "signature", "public key", rows=rows)
    output.answer(documents, found if rows else "no keys")


def _refuse_other(manifest: Any, release: Any) -> None:
    """Refuse to sign a digest that is another release's: the log says which, the manifest is it."""
    if (manifest.adapter, manifest.version) != (release.adapter, release.version):
        raise InvalidArgument(
            f"the log says {release}, but the manifest is of {manifest.adapter}@{manifest.version}",
            reason="MANIFEST_MISMATCH",
            hint="Sign nothing there; `tabard fsck --deep` tells more.",
        )


def read_key(file: Path) -> bytes:
    """Read a private key's file; what is too large to be one is refused."""
    with file.open("rb") as opened_file:
        content = opened_file.read(_KEY_BYTES_MAX + 1)
    if len(content) > _KEY_BYTES_MAX:
        raise InvalidArgument(
            f"{file} is no private key", reason="FIELD_INVALID", hint="Name the file of the key."
        )
    return content


def _key_id(public_key: str) -> str:
    key_class = library("release.keys", needed_for="tabard key").Key
    return str(key_class(namespace="", public_key=public_key, name="").id)


def _key_document(found: Any) -> dict[str, Any]:
    return {"namespace": found.namespace, "id": found.id, **found.to_json()}


def _signed(digest: Any, key_id: str, signature: str) -> dict[str, str]:
    return {"digest": str(digest), "key_id": key_id, "signature": signature}
