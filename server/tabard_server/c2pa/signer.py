# SPDX-License-Identifier: Apache-2.0
"""Signs files with `c2pa-python`, which is imported when the first signer is made.

In: a file that is written, and what its manifest says. Out: the file with the manifest; whatever is
changed of it afterwards makes the manifest wrong. Any thread; asks nothing of any network.
"""

import importlib
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from PIL import Image

from tabard_server.c2pa.credential import Credential, read_credential
from tabard_server.c2pa.manifest import manifest_of
from tabard_server.c2pa.settings import C2paSettings
from tabard_server.errors import BadSettings, JobFailed

_OPTIONS: Mapping[str, Any] = {
    # A thumbnail would be half as large as the picture, and take longer than the signature.
    "builder": {"thumbnail": {"enabled": False}},
    # What was signed is read again before anybody is sent it.
    "verify": {"verify_after_sign": True, "ocsp_fetch": False, "remote_manifest_fetch": False},
}
_TRIAL = manifest_of(source="trial", inputs={}, version="0")


def _now() -> datetime:
    return datetime.now(UTC)


class Signer:
    """Signs with one credential.

    Attributes:
        credential: What it signs with.
    """

    def __init__(self, credential: Credential) -> None:
        """Import the library, and give it the key.

        Raises:
            BadSettings: The library is not installed, or signs nothing with such a credential.
        """
        self.credential = credential
        self._library = _library()
        try:
            self._context = self._library.Context.from_dict(_OPTIONS)
            self._signer = self._library.Signer.from_info(
                self._library.C2paSignerInfo(
                    credential.algorithm.encode(), credential.chain, credential.key, None
                )
            )
            self._sign(_picture(), media_type="image/png", manifest=_TRIAL)
        except self._library.C2paError as error:
            raise BadSettings(
                f"c2pa.certificate: {credential.subject} does not sign Content Credentials",
                names=("c2pa.certificate",),
                reason="C2PA_CREDENTIAL_REFUSED",
                hint="C2PA asks for a certificate that is no CA's, with the key usage "
                "digitalSignature, and with an extended key usage like emailProtection",
            ) from error

    def sign(self, content: bytes, *, media_type: str, manifest: Mapping[str, Any]) -> bytes:
        """Return the file with its manifest.

        Raises:
            JobFailed: It cannot be signed (SIGNING_FAILED), as where the certificate has expired.
        """
        try:
            return self._sign(content, media_type=media_type, manifest=manifest)
        except self._library.C2paError as error:
            raise JobFailed(
                "the image could not be signed, and this server sends none unsigned",
                reason="SIGNING_FAILED",
                hint="tell whoever looks after the server: `tabard status` says until when its "
                "certificate is valid",
            ) from error

    def _sign(self, content: bytes, *, media_type: str, manifest: Mapping[str, Any]) -> bytes:
        sink = io.BytesIO()
        with self._library.Builder(json.dumps(manifest), self._context) as builder:
            builder.sign(self._signer, media_type, io.BytesIO(content), sink)
        return sink.getvalue()


def signer_for(settings: C2paSettings, *, now: Callable[[], datetime] = _now) -> Signer | None:
    """Return what signs, or None where pictures are not signed.

    Raises:
        BadSettings: It was asked for and cannot be had.
    """
    if not settings.is_on:
        return None
    return Signer(read_credential(settings, now=now()))


def _library() -> Any:
    if find_spec("c2pa") is None:
        raise BadSettings(
            "c2pa.certificate asks for signed pictures, and c2pa-python is not installed",
            names=("c2pa.certificate",),
            reason="EXTRA_MISSING",
            hint="pip install 'tabard[c2pa]'",
        )
    return importlib.import_module("c2pa")


def _picture() -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (8, 8)).save(sink, format="PNG")
    return sink.getvalue()
