# SPDX-License-Identifier: Apache-2.0
"""The door that speaks A1111's API, as the tools around that web UI know it."""
