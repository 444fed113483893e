# SPDX-License-Identifier: Apache-2.0
"""The Livery server: one resident base, every request in the adapters it asks for."""
