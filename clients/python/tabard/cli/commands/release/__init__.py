# SPDX-License-Identifier: Apache-2.0
"""Look at releases, move channels, withdraw, vouch, fetch back."""
