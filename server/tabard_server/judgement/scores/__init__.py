# SPDX-License-Identifier: Apache-2.0
"""Scores of a grid of pictures, each with its interval: arrays of embeddings in, figures out."""
