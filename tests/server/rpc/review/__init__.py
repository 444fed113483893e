# SPDX-License-Identifier: Apache-2.0
"""ReviewService over real gRPC."""
