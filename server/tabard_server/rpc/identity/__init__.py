# SPDX-License-Identifier: Apache-2.0
"""Who calls, tokens and policies over gRPC."""
