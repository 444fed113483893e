# SPDX-License-Identifier: Apache-2.0
"""JobService and its messages."""
