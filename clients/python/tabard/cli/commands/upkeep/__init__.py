# SPDX-License-Identifier: Apache-2.0
"""Examine a registry and take care of it."""
