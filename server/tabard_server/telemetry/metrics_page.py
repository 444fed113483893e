# SPDX-License-Identifier: Apache-2.0
"""The Prometheus page on a port of its own, in a thread of its own."""

from prometheus_client import CollectorRegistry, start_http_server

from tabard_server.errors import BadSettings


class MetricsPage:
    """Serves one collector registry until closed.

    Attributes:
        address: Host and the port that was really taken.
    """

    def __init__(self, listen: str, *, registry: CollectorRegistry) -> None:
        """Listen on `host:port`.

        Raises:
            BadSettings: The address cannot be had.
        """
        host, _colon, port = listen.rpartition(":")
        try:
            self._server, self._thread = start_http_server(
                int(port), addr=host.strip("[]"), registry=registry
            )
        except OSError as error:
            raise BadSettings(
                f"cannot serve metrics on {listen}: {error.strerror}",
                reason="ADDRESS_NOT_AVAILABLE",
                hint="choose another metrics_listen, port 0 for any, or leave it empty for none",
            ) from error
        self.address = f"{host}:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving. Waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
