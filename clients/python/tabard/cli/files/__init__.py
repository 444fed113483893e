# SPDX-License-Identifier: Apache-2.0
"""Where adapter files come from: paths, folders of a UI, a hub."""
