# SPDX-License-Identifier: Apache-2.0
"""Every verb of the SDK as a value: which RPC, which request, how to read the answer.

Both clients send these, so a verb is written once. Nothing here touches the network.
"""

from tabard.calls.call import Call, Caller, Metadata, Upload

__all__ = ["Call", "Caller", "Metadata", "Upload"]
