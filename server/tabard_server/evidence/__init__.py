# SPDX-License-Identifier: Apache-2.0
"""The evidence of releases, as callers read it and add to it. Knows nothing of protobuf."""
