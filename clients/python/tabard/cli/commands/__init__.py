# SPDX-License-Identifier: Apache-2.0
"""The commands, by what people come for; each in a file of its own name.

An underscore stands behind a name that Python has taken: `import_`, `list_`. A large group is a
folder: `key`. Each folder's `COMMANDS` lists its commands, so that help imports none of them.
"""
