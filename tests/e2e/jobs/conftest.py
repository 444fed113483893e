# SPDX-License-Identifier: Apache-2.0
"""The server with styles and the gateway that the tests of the HTTP doors have, too."""

from tests.e2e.web.conftest import gateway, styled_client, styled_server

__all__ = ["gateway", "styled_client", "styled_server"]
