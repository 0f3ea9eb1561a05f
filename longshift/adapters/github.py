"""A connection to GitHub's REST API with one token. What is asked there, and what an answer means, callers know."""

import httpx

ANSWER_SECONDS = 30.0


def github_client(api_url: str, token: str) -> httpx.AsyncClient:
    """Asks for paths below `api_url`, as the version of the API that we know."""
    return httpx.AsyncClient(
        base_url=api_url.rstrip("/") + "/",
        headers={
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {token}",
            "x-github-api-version": "2022-11-28",
            "user-agent": "longshift",
        },
        timeout=ANSWER_SECONDS,
    )
