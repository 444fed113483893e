# SPDX-License-Identifier: Apache-2.0
"""How a server is reached, how both sides show who they are, and who somebody is.

Addresses, tokens, certificates, profiles; what a handshake failed at. Knows no protobuf, no gRPC.
"""
