# SPDX-License-Identifier: Apache-2.0
"""Adapters in slots on the device, gathered row by row."""
