# SPDX-License-Identifier: Apache-2.0
"""Evidence against a canary that may be looked at after every unit, and what follows from it."""
