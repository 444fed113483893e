# SPDX-License-Identifier: Apache-2.0
"""What was read of the files, layer by layer: factors, changes, tokens."""
