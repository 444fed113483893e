# SPDX-License-Identifier: Apache-2.0
"""RegistryService: its messages, its uploads and downloads, one method an RPC."""
