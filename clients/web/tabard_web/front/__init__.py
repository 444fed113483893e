# SPDX-License-Identifier: Apache-2.0
"""What every request passes before a door sees it: its origin, its size, its headers."""
