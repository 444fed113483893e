# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: one S3 store a process, and no example that is judged by the clock."""

from hypothesis import HealthCheck, settings

from tests.s3 import _models_are_read_once, s3_endpoint, s3_environment, s3_url

__all__ = ["_models_are_read_once", "s3_endpoint", "s3_environment", "s3_url"]

# An example is slow when the machine is busy; that says nothing of the code. A folder of a test is
# for all of its examples: each writes over what the one before it wrote.
settings.register_profile(
    "tabard",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tabard")
