# SPDX-License-Identifier: Apache-2.0
"""Tabard as a Ray Serve application: a whole server in each replica, behind Ray's HAProxy."""
