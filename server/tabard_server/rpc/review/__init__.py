# SPDX-License-Identifier: Apache-2.0
"""Reviews, blind votes, and what a promotion lacks, over gRPC."""
