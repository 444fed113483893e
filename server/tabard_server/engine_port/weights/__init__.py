# SPDX-License-Identifier: Apache-2.0
"""How strongly adapters act, and the parts of a base in which that may differ."""
