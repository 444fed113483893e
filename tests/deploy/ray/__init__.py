# SPDX-License-Identifier: Apache-2.0
"""Tabard on Ray Serve: what needs no Ray in the fast tests, the rest under the mark `ray`."""
