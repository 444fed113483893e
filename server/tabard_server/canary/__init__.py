# SPDX-License-Identifier: Apache-2.0
"""Canaries of this server: pairs are drawn beside callers' jobs, scored, observed and decided on.

All that counts lies in the log, so any server goes on where another one ended. Nothing here stands
between a caller and a picture, or between a person and a rollback.
"""
