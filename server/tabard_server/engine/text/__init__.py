# SPDX-License-Identifier: Apache-2.0
"""Prompts become what the denoiser is told."""
