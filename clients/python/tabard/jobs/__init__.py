# SPDX-License-Identifier: Apache-2.0
"""Detached jobs: how they stand, and handles to wait for them."""
