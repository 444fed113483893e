# SPDX-License-Identifier: Apache-2.0
"""Waiting as long as things get on, however slow the machine is."""
