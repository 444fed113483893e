# SPDX-License-Identifier: Apache-2.0
"""CanaryService: canaries and complaints over gRPC."""
