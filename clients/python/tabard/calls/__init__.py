# SPDX-License-Identifier: Apache-2.0
"""Every verb of the SDK as a value: a request, which says its RPC, and how to read the answer.

Both clients send these, so a verb is written once. Nothing here touches the network.
"""
