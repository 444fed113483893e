# SPDX-License-Identifier: Apache-2.0
"""Client certificates: who somebody is by a name in theirs. gRPC has checked it, against our CAs.

In: names with their kinds. Out: sessions, which last as long as the connection.
"""

from collections.abc import Sequence

from tabard_registry.identity.identity import Identity, Proof
from tabard_server.access.settings import CertificateGrant
from tabard_server.errors import Unauthenticated
from tabard_server.identity.credentials import Session
from tabard_server.identity.mapping import grants_by_names, rule_of

_NAMES_SHOWN_MAX = 3


def session_by_certificate(names: Sequence[str], *, rules: Sequence[CertificateGrant]) -> Session:
    """Return whose certificate it is.

    Raises:
        Unauthenticated: Nobody's: no rule knows any of its names.
    """
    found = rule_of(names, rules=rules)
    if found is None:
        raise Unauthenticated(
            f"the client certificate is nobody's here: {', '.join(names[:_NAMES_SHOWN_MAX])}",
            reason="CERTIFICATE_UNKNOWN",
            hint="whoever runs the server names it in identity.certificate_grants; or give a token",
        )
    name, tenant = found
    grants = grants_by_names(names, rules=rules)
    return Session(
        identity=Identity(name=name, tenant=tenant or name, grants=grants, proof=Proof.CERTIFICATE)
    )
