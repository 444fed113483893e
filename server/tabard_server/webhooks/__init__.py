# SPDX-License-Identifier: Apache-2.0
"""Whom a server may tell of jobs, and how it asks them; with the settings of detached jobs."""
