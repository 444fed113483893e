# SPDX-License-Identifier: Apache-2.0
"""The gateway: HTTP doors that people's tools already speak, in front of one Tabard server.

A client of the gRPC API, through the SDK's `AsyncClient`, and nothing more. It holds no identity of
its own, keeps nothing, and draws nothing.
"""
