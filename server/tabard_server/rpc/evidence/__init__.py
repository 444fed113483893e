# SPDX-License-Identifier: Apache-2.0
"""EvidenceService: documents, pictures and grids over gRPC."""
