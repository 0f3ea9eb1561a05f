"""Slack as a place where people are told and asked: what is shown, how it is posted, and what an error means.

What people do there (clicks, forms, replies) comes in through `longshift.intake.slack`.
"""

from longshift.adapters.slack.poster import SlackPoster, web_client

__all__ = ["SlackPoster", "web_client"]
