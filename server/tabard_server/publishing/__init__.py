# SPDX-License-Identifier: Apache-2.0
"""What callers do with the registry and ask of it, by whatever door: bounds and defaults are here.

In: parsed values. Out: the registry's. Knows nothing of protobuf.
"""
