# SPDX-License-Identifier: Apache-2.0
"""The room where whole fine-tuned models become adapters against their base.

In: a tuned model (folder, file, hub id), the base it was trained from, and how exact it shall be.
Out: one safetensors file in kohya's and LyCORIS' key layout, and an outcome that says what it
keeps. It must not know the registry's log, servers or jobs: publishing the file is another act.
"""
