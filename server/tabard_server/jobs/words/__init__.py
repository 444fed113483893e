# SPDX-License-Identifier: Apache-2.0
"""How people write what images wear: tags in prompts, and what stands behind a ref."""
