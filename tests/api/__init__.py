# SPDX-License-Identifier: Apache-2.0
"""The API as a document: what the protos say of it is so, and the pages written from them."""
