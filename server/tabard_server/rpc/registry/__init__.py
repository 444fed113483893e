# SPDX-License-Identifier: Apache-2.0
"""RegistryService: reads, writes, uploads, downloads, watch."""
