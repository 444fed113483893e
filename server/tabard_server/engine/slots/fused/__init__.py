# SPDX-License-Identifier: Apache-2.0
"""A layer's product and what its rows wear in one kernel, for those layers that gain by it."""
