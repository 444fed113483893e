# SPDX-License-Identifier: Apache-2.0
"""Adapters between the bucket and the slots: verified on disk, packed in host memory."""
