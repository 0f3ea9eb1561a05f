"""Tells the two reasons apart for which an activity is cancelled."""

from temporalio import activity


def is_cancelled_by_the_workflow() -> bool:
    """Whether somebody wants the work to end. A worker that shuts down also cancels, but then commands go on."""
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested
