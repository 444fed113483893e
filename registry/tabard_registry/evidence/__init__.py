# SPDX-License-Identifier: Apache-2.0
"""Evidence: what was drawn, measured and said of a release, as typed documents kept by digest."""
