# SPDX-License-Identifier: Apache-2.0
"""EvaluationService over real gRPC."""
