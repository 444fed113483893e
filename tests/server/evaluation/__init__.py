# SPDX-License-Identifier: Apache-2.0
"""Evaluations: what they draw, what they keep, how they judge."""
