# SPDX-License-Identifier: Apache-2.0
"""Which images run next: a snapshot of the moment, a pure policy."""
