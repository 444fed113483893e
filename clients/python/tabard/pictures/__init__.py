# SPDX-License-Identifier: Apache-2.0
"""Pictures as files: how they are given, and what a PNG says of itself."""
