# SPDX-License-Identifier: Apache-2.0
"""TLS on both sides of Envoy, by tls.yaml, and servers that ask who calls: traffic, not words."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tabard import Client, PermissionDenied, TabardError, Unauthenticated
from tests.bases import write_diffusers_lora
from tests.clients.fakes.authority import Authority
from tests.e2e.web.tokens import first_token, is_known
from tests.fleet.envoy import run_envoy
from tests.fleet.replicas import running, server_in
from tests.web.running import until

pytestmark = pytest.mark.fleet

WANTED: dict[str, Any] = {"seed": 3, "num_inference_steps": 1, "deterministic": True}
PLACES = ("/etc/tabard/envoy.pem", "/etc/tabard/envoy.key", "/etc/tabard/ca.pem")


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """Two servers behind an Envoy that ends TLS.

    Attributes:
        address: Where callers come in.
        plain: The same place without its scheme.
        behind: Of the servers.
        public: What callers trust.
        inner: What Envoy trusts; callers do not.
        token: The first one.
    """

    address: str
    plain: str
    behind: tuple[str, ...]
    public: Path
    inner: Path
    token: str

    def client(self, token: str) -> Client:
        """Connect as the owner of a token, or as nobody."""
        return Client(self.address, tls_ca=self.public, token=token)


@pytest.fixture(scope="module")
def sealed(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    folder = tmp_path_factory.mktemp("sealed")
    public, inner = Authority(folder, "public"), Authority(folder, "inner")
    front = public.sign("envoy")
    # Envoy asks for the name; the address is for this test, which looks at each server itself.
    own = inner.sign("tabard", hosts=("tabard", "127.0.0.1"))
    settings = {
        "identity_tokens": "true",
        "poll_seconds": "0.05",
        "registry": (folder / "registry").as_uri(),
        "cache": folder / "cache",
        "tls_certificate": own.certificate,
        "tls_key": own.key,
    }
    servers = [
        server_in(folder / f"server-{number}", base=tiny_base, **settings) for number in range(2)
    ]
    words = dict(zip(PLACES, map(str, (front.certificate, front.key, inner.ca)), strict=True))
    behind = tuple(one.address for one in servers)
    with (
        running(servers),
        run_envoy(
            folder / "envoy", servers={"tabard": behind}, name="tls.yaml", words=words
        ) as envoy,
    ):
        token = first_token(folder / "registry")
        found = Sealed(
            address=f"grpcs://{envoy.address}",
            plain=envoy.address,
            behind=behind,
            public=public.ca,
            inner=inner.ca,
            token=token,
        )
        for address in behind:
            with Client(f"grpcs://{address}", tls_ca=inner.ca, token=token) as one:
                until(lambda one=one: is_known(one))
        file = write_diffusers_lora(tiny_base, folder / "ink.safetensors", seed=1)
        with found.client(token) as admin:
            admin.publish("acme/ink", file, version="1.0.0")
            admin.promote("acme/ink@1.0.0", channel="stable")
        yield found


def test_pictures_come_through_tls(sealed: Sealed) -> None:
    """Drawn by both servers, by a token that may; the same bytes as from each server itself."""
    with sealed.client(sealed.token) as admin:
        secret = admin.create_token("ann", grants={"acme": ("generate",)}, reason="x").secret
    drawn = set()
    for address in sealed.behind:
        with Client(f"grpcs://{address}", tls_ca=sealed.inner, token=secret) as one:
            until(lambda one=one: is_known(one))
            drawn.add(one.generate("x", adapters="acme/ink", **WANTED).images[0].content)

    with sealed.client(secret) as ann:
        through = [ann.generate("x", adapters="acme/ink", **WANTED) for _ in range(2)]
        served = {ann.generate("x", **{**WANTED, "seed": n}).images[0].seed for n in range(6)}

    assert drawn == {one.images[0].content for one in through}
    assert served == set(range(6))


def test_token_counts_behind_envoy(sealed: Sealed) -> None:
    """Nobody is taken for Envoy: no token, a wrong one, and one that may not, are each told so."""
    with sealed.client(sealed.token) as admin:
        secret = admin.create_token("bob", grants={"other": ("generate",)}, reason="x").secret
    wrong_token = sealed.token[:-8] + "00000000"
    with sealed.client("") as nobody, pytest.raises(Unauthenticated) as unknown:
        nobody.generate("x", **WANTED)
    with (
        sealed.client(wrong_token) as wrong,
        pytest.raises(Unauthenticated) as refused,
    ):
        wrong.generate("x", **WANTED)
    with sealed.client(secret) as bob:
        until(lambda: is_known(bob))
        with pytest.raises(PermissionDenied) as forbidden:
            bob.generate("x", adapters="acme/ink", **WANTED)

    assert unknown.value.reason == "TOKEN_MISSING"
    assert refused.value.reason == "TOKEN_UNKNOWN"
    assert forbidden.value.reason == "ROLE_MISSING"


def test_nobody_reads_along(sealed: Sealed) -> None:
    """Envoy takes no call without TLS, and callers believe no other certificate than its own."""
    with (
        Client(sealed.plain, patience_seconds=0) as plain,
        pytest.raises(TabardError) as unsealed,
    ):
        plain.status()
    with (
        Client(sealed.address, tls_ca=sealed.inner, token=sealed.token) as doubting,
        pytest.raises(TabardError) as disbelieved,
    ):
        doubting.status()

    assert unsealed.value.reason == "TLS_NEEDED"
    assert disbelieved.value.reason == "SERVER_CERTIFICATE_REFUSED"
