# SPDX-License-Identifier: Apache-2.0
"""Hostile files, opened within bounds: safetensors, pickles, what is neither."""
