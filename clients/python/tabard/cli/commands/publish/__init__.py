# SPDX-License-Identifier: Apache-2.0
"""Bring files in: check, publish, import, extract, recipe."""
