# SPDX-License-Identifier: Apache-2.0
"""EvaluationService: a release and a grid in, what is drawn and judged out."""
