# SPDX-License-Identifier: Apache-2.0
"""Canonical releases in other programs' formats, a file each: tensors and header words out."""
