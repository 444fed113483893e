# SPDX-License-Identifier: Apache-2.0
"""Plans past one machine: many servers in virtual time, with the real policy, tiers and routing."""
