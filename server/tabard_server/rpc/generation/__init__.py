# SPDX-License-Identifier: Apache-2.0
"""GenerationService: generate messages in, events out."""
