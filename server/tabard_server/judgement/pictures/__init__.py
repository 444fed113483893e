# SPDX-License-Identifier: Apache-2.0
"""What of a picture is measured without weights: style, layout, copies, soundness, hashes."""
