# SPDX-License-Identifier: Apache-2.0
"""The room of the resident base: adapters per row, one denoise step at a time.

In: row specs and host adapters. Out: pixels. It must not know jobs, refs, queues or the registry's
log. Everything here runs on one thread, but for `PromptReader`, of which each thread has its own.
Import from the module that defines a name: the package itself loads nothing.
"""
