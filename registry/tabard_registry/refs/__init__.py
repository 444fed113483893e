# SPDX-License-Identifier: Apache-2.0
"""Names, versions, ranges, digests: strings become values that cannot be invalid."""
