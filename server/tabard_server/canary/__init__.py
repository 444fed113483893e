# SPDX-License-Identifier: Apache-2.0
"""Canaries: a release is tried beside what it would replace, and judged while people draw."""
