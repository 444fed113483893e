# SPDX-License-Identifier: Apache-2.0
"""One HTTP request to one address: what webhooks need, and nothing else. No redirects, no proxies.

In: a receiver, the address that its name led to, headers and a body. Out: the status.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping

from tabard_server.webhooks.receivers import Receiver

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r|\n)")
_LINE_BYTES_MAX = 4_096


class NotAnswered(Exception):
    """The receiver did not answer. Its text says why, and nothing of what it sent."""


async def post(
    receiver: Receiver,
    *,
    address: str,
    headers: Mapping[str, str],
    body: bytes,
    context: ssl.SSLContext,
    seconds_max: float,
) -> int:
    """Send a request and return its status.

    Raises:
        NotAnswered: There is none.
    """
    try:
        async with asyncio.timeout(seconds_max):
            reader, writer = await asyncio.open_connection(
                address,
                receiver.port,
                limit=_LINE_BYTES_MAX,
                ssl=context if receiver.is_encrypted else None,
                server_hostname=receiver.host if receiver.is_encrypted else None,
            )
            try:
                writer.write(_request(receiver, headers=headers, body=body))
                await writer.drain()
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError as error:
        raise NotAnswered(f"no answer within {seconds_max:g} seconds") from error
    except ssl.SSLError as error:
        raise NotAnswered("TLS: its certificate does not hold, or it speaks none") from error
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        raise NotAnswered("the connection could not be made, or broke off") from error
    found = _STATUS.match(line)
    if found is None:
        raise NotAnswered("its answer is no HTTP")
    return int(found[1])


def _request(receiver: Receiver, *, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"POST {receiver.target} HTTP/1.1", f"Host: {receiver.named}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    with contextlib.suppress(UnicodeEncodeError):
        return "\r\n".join(lines).encode("ascii") + body
    raise AssertionError("a receiver is read before it is asked")
