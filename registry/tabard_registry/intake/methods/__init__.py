# SPDX-License-Identifier: Apache-2.0
"""How a change of a weight is decomposed, a file for each method."""
