"""Messages to people outside, through whichever faces this worker has the secrets of."""

from collections.abc import Mapping

from temporalio import activity

from activities.heartbeat import Progress, heartbeating
from longshift.adapters.posting import Poster
from longshift.contracts.activities import PeopleActivities
from longshift.contracts.cards import PostInput, PostResult
from longshift.contracts.errors import PeopleRefused
from longshift.contracts.people import Face

SECRETS = {Face.SLACK: "LONGSHIFT_SLACK_BOT_TOKEN", Face.WEBHOOK: "LONGSHIFT_WEBHOOK_URL"}


class People(PeopleActivities):
    """Posts by face."""

    def __init__(self, posters: Mapping[Face, Poster]) -> None:
        self._posters = dict(posters)

    @activity.defn
    async def post(self, request: PostInput) -> PostResult:
        """Post or edit one message."""
        poster = self._posters.get(request.face)
        if poster is None:
            raise PeopleRefused(f"{request.face.value}: this worker has no {SECRETS[request.face]}")
        info = activity.info()
        first = info.scheduled_time.timestamp() if info.attempt > 1 else 0.0
        since = min((each for each in (first, request.search_since) if each), default=0.0)
        async with heartbeating(Progress()):
            return await poster.post(request, since=since)
