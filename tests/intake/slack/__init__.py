"""Tests of the gateway: what people do in Slack."""
