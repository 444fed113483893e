# SPDX-License-Identifier: Apache-2.0
"""The state of a registry as a fold of its records. Pure."""
