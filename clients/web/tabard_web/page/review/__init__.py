# SPDX-License-Identifier: Apache-2.0
"""Reviewing on the page: blind pairs, what they are compared with by eye, and decisions."""
