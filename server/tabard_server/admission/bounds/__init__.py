# SPDX-License-Identifier: Apache-2.0
"""Numbers, sizes and guidance of a request: filled in, or refused out of their bounds."""
