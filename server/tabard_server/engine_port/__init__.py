# SPDX-License-Identifier: Apache-2.0
"""The seam between loop and engine: its protocol and the values that cross it. No torch."""
