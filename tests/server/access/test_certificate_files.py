# SPDX-License-Identifier: Apache-2.0
"""Certificates of a server and of its callers: real ones, on both ports, reloaded while it runs."""

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from tabard.v1 import identity_service_pb2 as pb
from tabard_registry.identity.roles import Role
from tabard_server.access.certificate_files import CertificateFiles
from tabard_server.access.settings import CertificateGrant, IdentitySettings, TlsSettings
from tabard_server.errors import BadSettings
from tests.server.harness import Server, read_refusal
from tests.server.identity.authority import Authority, write_pair
from tests.server.rpc.door.known_callers import OWN, as_bearer, asking, token_for

WHO = "/tabard.v1.IdentityService/WhoAmI"
SPIFFE = "spiffe://studio.example/render"
RULES = (
    CertificateGrant(certificate=f"uri:{SPIFFE}", namespace=OWN, roles=("generate",)),
    CertificateGrant(certificate="cn:batch-*", namespace=OWN, roles=("publish",), tenant="batch"),
)


async def who_am_i(
    server: Server, credentials: grpc.ChannelCredentials, *, secret: str | None = None
) -> pb.WhoAmIResponse:
    """Ask by a connection of its own, with these credentials."""
    async with grpc.aio.secure_channel(server.address, credentials) as channel:
        ask: Any = channel.unary_unary(WHO, response_deserializer=pb.WhoAmIResponse.FromString)
        found: pb.WhoAmIResponse = await ask(b"", metadata=as_bearer(secret))
        return found


def credentials(
    authority: Authority, pair: tuple[bytes, bytes] | None = None
) -> grpc.ChannelCredentials:
    """Return how a client trusts a server, and what it shows of itself."""
    certificate, key = pair or (None, None)
    return grpc.ssl_channel_credentials(
        root_certificates=authority.pem, private_key=key, certificate_chain=certificate
    )


def served_certificate(address: str) -> bytes:
    """Return the certificate that is shown on an address."""
    host, _colon, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port))).encode()


def test_both_ports_speak_tls_and_reload(tmp_path: Path) -> None:
    """A renewed certificate is shown to the next connection; a half-written one to nobody."""
    authority = Authority()
    first, second = authority.vouch_for_server(), authority.vouch_for_server()
    places = write_pair(tmp_path, first)

    async def walk() -> list[list[bytes]]:
        shown = []
        async with asking(
            tmp_path, tls=TlsSettings(**places), metrics_listen="127.0.0.1:0"
        ) as server:

            async def look() -> list[bytes]:
                ports = (server.address, server.metrics_address)
                return [await asyncio.to_thread(served_certificate, one) for one in ports]

            secret = token_for(server, "ann", **{OWN: (Role.GENERATE,)})
            known = await who_am_i(server, credentials(authority), secret=secret)
            assert known.name == "ann"
            shown.append(await look())
            Path(places["certificate"]).write_bytes(second[0])
            shown.append(await look())
            Path(places["key"]).write_bytes(second[1])
            shown.append(await look())
            assert (await who_am_i(server, credentials(authority), secret=secret)).name == "ann"
        return shown

    shown = asyncio.run(walk())

    assert shown == [[first[0]] * 2, [first[0]] * 2, [second[0]] * 2]


def test_plain_and_encrypted_do_not_meet(tmp_path: Path) -> None:
    """TLS on a plain port, and a plain call on an encrypted one, end at once and reach nobody."""
    authority = Authority()
    places = write_pair(tmp_path, authority.vouch_for_server())

    async def walk() -> list[grpc.StatusCode]:
        codes = []
        (tmp_path / "plain").mkdir()
        (tmp_path / "sealed").mkdir()
        async with asking(tmp_path / "plain") as plain:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await who_am_i(plain, credentials(authority))
            codes.append(refused.value.code())
        async with asking(tmp_path / "sealed", tls=TlsSettings(**places)) as sealed:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await sealed.status()
            codes.append(refused.value.code())
        return codes

    assert asyncio.run(walk()) == [grpc.StatusCode.UNAVAILABLE] * 2


def test_certificate_is_an_identity(tmp_path: Path) -> None:
    """By its URI or its name; one that no rule names is nobody's; another CA's does not connect."""
    authority, stranger = Authority(), Authority("Another CA")
    places = write_pair(tmp_path, authority.vouch_for_server())
    (tmp_path / "ca.pem").write_bytes("# Főtanúsítvány\n".encode() + authority.pem)
    shown = {
        "uri": authority.vouch("x", x509.UniformResourceIdentifier(SPIFFE)),
        "cn": authority.vouch("batch-7"),
        "unnamed": authority.vouch("somebody"),
        "of another CA": stranger.vouch("batch-7"),
        "none": None,
    }

    async def walk() -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with asking(
            tmp_path,
            tls=TlsSettings(**places, client_ca=str(tmp_path / "ca.pem")),
            identity=IdentitySettings(tokens=True, certificate_grants=RULES),
        ) as server:
            secret = token_for(server, "ann", **{OWN: (Role.GENERATE,)})
            for name, pair in shown.items():
                try:
                    found[name] = await who_am_i(server, credentials(authority, pair))
                except grpc.aio.AioRpcError as error:
                    found[name] = read_refusal(error)
            found["token"] = await who_am_i(
                server, credentials(authority, shown["unnamed"]), secret=secret
            )
        return found

    found = asyncio.run(walk())

    assert (found["uri"].name, found["uri"].tenant, found["uri"].proof) == (SPIFFE, SPIFFE, 3)
    assert (found["cn"].name, found["cn"].tenant) == ("batch-7", "batch")
    assert [one.role for one in found["cn"].grants] == [pb.Role.ROLE_PUBLISH]
    assert found["unnamed"].code is grpc.StatusCode.UNAUTHENTICATED
    assert (found["unnamed"].reason, found["token"].name) == ("CERTIFICATE_UNKNOWN", "ann")
    assert found["of another CA"].code is grpc.StatusCode.UNAVAILABLE
    assert found["none"].code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder, _other: (folder / "server.key").unlink(), "server.key"),
        (lambda folder, other: (folder / "server.key").write_bytes(other[1]), "together"),
        (lambda folder, _other: (folder / "server.pem").write_text("no PEM"), "together"),
        (lambda folder, _other: (folder / "ca.pem").write_text("no PEM"), "ca.pem holds"),
    ],
)
def test_unusable_files_stop_the_start(
    tmp_path: Path, damage: Callable[[Path, Any], object], told: str
) -> None:
    """Named, before anything is loaded; what a key holds is not repeated."""
    authority = Authority()
    pair = authority.vouch_for_server()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    settings = TlsSettings(**write_pair(tmp_path, pair), client_ca=str(tmp_path / "ca.pem"))
    damage(tmp_path, authority.vouch_for_server())

    with pytest.raises(BadSettings) as refused:
        CertificateFiles(settings)

    assert told in str(refused.value)
    assert refused.value.names[0] == "tls.certificate"
    assert refused.value.hint
    assert "BEGIN" not in str(refused.value)


def test_metrics_beyond_loopback_ask_for_a_role(tmp_path: Path) -> None:
    """Only whoever looks after the server reads them; probes are asked nothing."""
    authority = Authority()
    places = write_pair(tmp_path, authority.vouch_for_server())

    def ask(address: str, path: str, secret: str | None) -> tuple[int, str]:
        trust = ssl.create_default_context(cadata=authority.pem.decode())
        port = address.rpartition(":")[2]
        headers = dict(as_bearer(secret))
        request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, context=trust) as answer:
                return answer.status, str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, str(error.read().decode())

    async def walk() -> list[tuple[int, str]]:
        async with asking(
            tmp_path, tls=TlsSettings(**places), metrics_listen="0.0.0.0:0"
        ) as server:
            own = token_for(server, "own", **{OWN: (Role.ADMIN,)})
            every = token_for(server, "every", everywhere=(Role.OPERATE,))
            asked: list[tuple[str, str | None]] = [
                ("/metrics", None),
                ("/metrics", "tabard_wrong"),
                ("/metrics", own),
                ("/metrics", every),
                ("/readyz", None),
                ("/livez", None),
            ]
            return [
                await asyncio.to_thread(ask, server.metrics_address, path, secret)
                for path, secret in asked
            ]

    found = asyncio.run(walk())

    assert [code for code, _text in found] == [401, 401, 403, 200, 200, 200]
    assert "tabard_rows" in found[3][1]
    assert "operate" in found[2][1]
