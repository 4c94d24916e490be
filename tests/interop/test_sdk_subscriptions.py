"""Change notifications by the unmodified SDK: made, listed, renewed, removed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from conftest import Served
from msgraph_beta import GraphServiceClient
from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_beta.generated.models.subscription import Subscription
from test_msgraph_sdk import ask
from tests.integration.registry.registry_site import LAPTOP, material

STATE = "only the service knows"


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes], threading.Event]]:
    """A receiver that agrees; yields its URL, the bodies that came, and what is set when one does."""
    bodies: list[bytes] = []
    came = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = parse_qs(urlsplit(self.path).query).get("validationToken", [""])[0].encode()
            self.send_response(200 if token else 202)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(token)))
            self.end_headers()
            self.wfile.write(token)
            if not token:
                bodies.append(body)
                came.set()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/notify", bodies, came
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def wanted(url: str, **changes: Any) -> Subscription:
    given = {
        "change_type": "updated,deleted",
        "notification_url": url,
        "resource": "/users",
        "expiration_date_time": datetime.now(UTC) + timedelta(hours=1),
        "client_state": STATE,
        **changes,
    }
    return Subscription(**given)


def test_a_subscription_lives_as_the_sdk_expects(served: Served) -> None:
    with receiver() as (url, bodies, came):

        async def make(client: GraphServiceClient) -> Subscription:
            made = await client.subscriptions.post(wanted(url))
            assert made is not None
            return made

        made = ask(served, make)
        assert made.id is not None
        assert UUID(made.id)
        assert made.notification_url == url
        assert made.client_state is None
        served.register("user09", material(9), LAPTOP)
        assert came.wait(60)

        async def keep(client: GraphServiceClient) -> tuple[Any, Any, Any]:
            one = client.subscriptions.by_subscription_id(made.id or "")
            later = datetime.now(UTC) + timedelta(days=2)
            renewed = await one.patch(Subscription(expiration_date_time=later))
            await one.reauthorize.post()
            listed, found = await client.subscriptions.get(), await one.get()
            await one.delete()
            return renewed, listed, found

        renewed, listed, found = ask(served, keep)
        assert renewed.expiration_date_time - made.expiration_date_time > timedelta(days=1)
        assert [each.id for each in listed.value] == [made.id]
        assert found.expiration_date_time == renewed.expiration_date_time

    (notice,) = json.loads(bodies[0])["value"]
    assert notice["subscriptionId"] == made.id
    assert notice["clientState"] == STATE
    assert notice["changeType"] == "updated"


def test_a_refusal_is_the_sdks_own_error(served: Served) -> None:
    with pytest.raises(ODataError) as caught:
        ask(served, lambda client: client.subscriptions.post(wanted("https://somewhere.example/")))
    assert caught.value.response_status_code == 400
    assert caught.value.error is not None
    assert "notification_hosts" in (caught.value.error.message or "")
