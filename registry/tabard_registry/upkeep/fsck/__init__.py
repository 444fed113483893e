# SPDX-License-Identifier: Apache-2.0
"""Examines a whole registry: log, checkpoints, blobs, index."""
