# SPDX-License-Identifier: Apache-2.0
"""Care for a registry where it lies: garbage, copies, examination, doctor."""
