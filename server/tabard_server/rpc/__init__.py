# SPDX-License-Identifier: Apache-2.0
"""The gRPC surface: the only room of the server that knows protobuf."""
