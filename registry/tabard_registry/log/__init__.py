# SPDX-License-Identifier: Apache-2.0
"""The append-only log: records, the slots that hold them, the chain they make."""
