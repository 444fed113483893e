# SPDX-License-Identifier: Apache-2.0
"""The bytes of releases: blobs by digest, canonical files, and how both are stored."""
