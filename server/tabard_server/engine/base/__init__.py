# SPDX-License-Identifier: Apache-2.0
"""The base pipeline: where it comes from, its family, its layers and fingerprints."""
