# SPDX-License-Identifier: Apache-2.0
"""Regions of a picture: what a request says of them, and which part of it each one is."""
