# SPDX-License-Identifier: Apache-2.0
"""Reviews, and votes on pairs whose sides nobody knows."""
