# SPDX-License-Identifier: Apache-2.0
"""What is known of how healthy a release is, as typed values."""
