# SPDX-License-Identifier: Apache-2.0
"""The door that speaks OpenAI's images API."""
