# SPDX-License-Identifier: Apache-2.0
"""Whether a release may be served: signatures and standing, asked for every request."""
