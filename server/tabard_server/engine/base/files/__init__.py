# SPDX-License-Identifier: Apache-2.0
"""Whole models as they lie on disk: their tensors by component, and what they say of themselves."""
