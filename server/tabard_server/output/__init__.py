# SPDX-License-Identifier: Apache-2.0
"""From pixels to PNG files that say what made them."""
