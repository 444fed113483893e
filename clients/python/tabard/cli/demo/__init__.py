# SPDX-License-Identifier: Apache-2.0
"""`tabard demo`: the main job from publish to rollback, through the public surface alone."""

from tabard.cli.demo.command import demo

__all__ = ["demo"]
