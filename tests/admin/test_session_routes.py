"""`/v1/session`: the token for a cookie, and how that ends."""

import re
from pathlib import Path

import pytest

from steno.admin.authorization import Authorization
from steno.config import SecretRef
from tests.admin.faces import JSON, TOKEN, Answered, Face, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    return file


def authorization(file: Path) -> Authorization:
    return Authorization(SecretRef(file=str(file)))


def put(file: Path, token: str | None) -> None:
    """Exchange the token, or take it away."""
    file.unlink()
    if token is not None:
        file.write_text(token)


async def begun(face: Face, token: str = TOKEN, **headers: str) -> Answered:
    return await face.ask("/v1/session", {**JSON, **headers}, "POST", f'{{"token":"{token}"}}')


def cookie_of(answered: Answered) -> dict[str, str]:
    return {"cookie": answered.headers["set-cookie"].partition(";")[0]}


async def test_the_token_becomes_a_cookie_that_is_not_the_token(file: Path) -> None:
    async with served(authorization(file)) as face:
        answered = await begun(face)
        cookie = cookie_of(answered)
        before, after = await face.ask("/v1/session"), await face.ask("/v1/session", cookie)
        metrics = await face.ask("/metrics", cookie)

    assert (answered.status, answered.body) == (200, {"authorized": True})
    assert re.fullmatch(
        rf"steno_{face.port}=[\w-]{{43}}; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict",
        answered.headers["set-cookie"],
    )
    assert TOKEN not in str(answered.headers)
    assert (before.body, after.body, metrics.status) == ({"authorized": False}, {"authorized": True}, 200)


async def test_a_cookie_is_over_when_it_is_ended_or_the_token_is_another_one(file: Path) -> None:
    async with served(authorization(file)) as face:
        first, second = cookie_of(await begun(face)), cookie_of(await begun(face))
        ended = await face.ask("/v1/session", first, "DELETE")
        statuses = [(await face.ask("/metrics", cookie)).status for cookie in (first, second)]
        put(file, "another-token")
        rotated = (await face.ask("/metrics", second)).status
        put(file, TOKEN)
        back = (await face.ask("/metrics", second)).status
        put(file, None)
        gone = (await face.ask("/metrics", second)).status

    assert ended.headers["set-cookie"].startswith(f"steno_{face.port}=; Max-Age=0;")
    assert (statuses, rotated, back, gone) == ([401, 200], 401, 401, 401)


async def test_behind_tls_the_cookie_is_sent_over_tls_alone(file: Path) -> None:
    async with served(authorization(file)) as face:
        answered = await begun(face, host="localhost", origin="https://localhost")

    assert answered.headers["set-cookie"].startswith("steno=")
    assert answered.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (JSON, '{"token":"wrong"}', 401),
        ({"content-type": "text/plain"}, f'{{"token":"{TOKEN}"}}', 415),
        ({"content-type": "application/x-www-form-urlencoded"}, f"token={TOKEN}", 415),
        ({**JSON, "origin": "http://attacker.example"}, f'{{"token":"{TOKEN}"}}', 403),
        (JSON, '{"token":7}', 400),
        (JSON, '{"token":""}', 400),
        (JSON, "{", 400),
        (JSON, '{"token":"' + "x" * 9000 + '"}', 413),
    ],
)
async def test_what_begins_no_session(file: Path, headers: dict[str, str], body: str, status: int) -> None:
    async with served(authorization(file)) as face:
        answered = await face.ask("/v1/session", headers, "POST", body)

    assert (answered.status, "set-cookie" in answered.headers) == (status, False)
    assert TOKEN not in answered.text


async def test_guesses_are_bounded(file: Path) -> None:
    async with served(authorization(file)) as face:
        statuses = [(await begun(face, f"guess-{n}")).status for n in range(11)]
        right = await begun(face)

    assert statuses == [401] * 10 + [429]
    assert (right.status, face.counted()) == (429, {"wrong_token": 10, "throttled": 2})


async def test_without_a_token_there_are_no_sessions() -> None:
    async with served(Authorization(None)) as face:
        answered = await begun(face)

    assert (answered.status, answered.code, face.counted()) == (401, "unauthorized", {"unauthorized": 1})
