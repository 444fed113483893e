# SPDX-License-Identifier: Apache-2.0
"""A base in memory: in which numbers it is kept, and what its weights are."""
