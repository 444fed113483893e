# SPDX-License-Identifier: Apache-2.0
"""The values of a release line: releases, manifests, keys, history. Pure."""
