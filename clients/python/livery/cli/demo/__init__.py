# SPDX-License-Identifier: Apache-2.0
"""`livery demo`: the main job from publish to rollback, through the public surface alone."""

from livery.cli.demo.command import demo

__all__ = ["demo"]
