# SPDX-License-Identifier: Apache-2.0
"""A small OpenID Connect issuer on loopback: discovery, keys that rotate, tokens of any kind."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "tabard"


class Issuer:
    """Signs tokens, and shows the public halves of its keys.

    Attributes:
        url: Its `iss`.
        asked: Paths that were asked for.
        is_up: Whether it answers.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_up = True
        self._keys: dict[str, Any] = {}
        self._algorithms: dict[str, str] = {}
        self.extra_keys: list[dict[str, Any]] = []
        handler = type("Handler", (_Handler,), {"issuer": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.rotate("one")

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate(self, key_id: str, *, algorithm: str = "RS256") -> None:
        """Sign by a new key from now on; the older ones are gone."""
        private: Any
        if algorithm.startswith("ES"):
            private = ec.generate_private_key(ec.SECP256R1())
        else:
            private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self._keys, self._algorithms = {key_id: private}, {key_id: algorithm}

    def token(self, *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """Make a token; a claim that is None is left out."""
        now = time.time()
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ann",
            "iat": now,
            "exp": now + 600.0,
            "groups": ["artists"],
        } | changes
        said = {name: value for name, value in claims.items() if value is not None}
        (key_id, private), *_ = self._keys.items()
        return jwt.encode(
            said,
            private,
            algorithm=self._algorithms[key_id],
            headers={"kid": key_id} | (headers or {}),
        )

    def unsigned(self, **changes: Any) -> str:
        """Make a token that says `alg: none`."""
        _head, body, _signature = self.token(**changes).split(".")
        head = _text(json.dumps({"alg": "none", "kid": "one"}).encode())
        return f"{head}.{body}."

    def by_public_key(self) -> str:
        """Make a token that is signed by HMAC, with the public key as the secret."""
        head = {"alg": "HS256", "kid": next(iter(self._keys)), "typ": "JWT"}
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "eve", "exp": time.time() + 600.0}
        secret = json.dumps(self.document["keys"][0]).encode()
        signed = f"{_text(json.dumps(head).encode())}.{_text(json.dumps(claims).encode())}"
        return f"{signed}.{_text(hmac.digest(secret, signed.encode(), 'sha256'))}"

    @property
    def document(self) -> dict[str, Any]:
        """Its keys, as it shows them."""
        keys = []
        for key_id, private in self._keys.items():
            algorithm = self._algorithms[key_id]
            kind = ECAlgorithm if algorithm.startswith("ES") else RSAAlgorithm
            shown = kind.to_jwk(private.public_key(), as_dict=True)
            keys.append(shown | {"kid": key_id, "alg": algorithm, "use": "sig"})
        return {"keys": [*keys, *self.extra_keys]}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        """Answer what an issuer is asked."""
        issuer = self.issuer
        issuer.asked.append(self.path)
        documents = {
            "/.well-known/openid-configuration": {
                "issuer": issuer.url,
                "jwks_uri": f"{issuer.url}/keys",
            },
            "/keys": issuer.document,
        }
        found = documents.get(self.path) if issuer.is_up else None
        self.send_response(200 if found is not None else 503)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer for the length of a block."""
    issuer = Issuer()
    try:
        yield issuer
    finally:
        issuer.close()
