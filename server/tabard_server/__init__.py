# SPDX-License-Identifier: Apache-2.0
"""The Tabard server: one resident base, every request in the adapters it asks for."""
