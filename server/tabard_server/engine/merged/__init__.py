# SPDX-License-Identifier: Apache-2.0
"""One merged copy of the parameters that a stack changes."""
