"""Query strings as models: read like FastAPI reads them, documented like it documents them."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from grove.testing.http import client_of
from grove.web import errors
from grove.web.query import parameters_of, query_as


class Colour(StrEnum):
    GREEN = "green"
    RED = "red"


class Wanted(BaseModel):
    size: Annotated[int, Field(ge=1, le=100, description="How many")] = 20
    colour: Colour | None = None
    flag: bool = False
    tree: UUID


@pytest.fixture
async def client():
    app = FastAPI()
    errors.install(app)

    @app.get("/trees", openapi_extra=parameters_of(Wanted))
    async def trees(wanted: Annotated[Wanted, query_as(Wanted)]) -> Wanted:
        """Trees."""
        return wanted

    async with client_of(app) as client:
        yield client


async def test_values_are_read_and_the_last_of_several_counts(client):
    tree = str(UUID(int=1))
    answer = await client.get(f"/trees?size=3&size=5&flag=true&colour=red&tree={tree}&other=x")
    assert answer.json() == {"size": 5, "colour": "red", "flag": True, "tree": tree}


async def test_each_wrong_value_is_named(client):
    answer = await client.get("/trees?size=0&colour=blue&flag=perhaps")
    assert answer.status_code == 422
    assert {detail["field"] for detail in answer.json()["error"]["details"]} == {
        "query.size",
        "query.colour",
        "query.flag",
        "query.tree",
    }


async def test_the_reference_names_every_parameter(client):
    operation = (await client.get("/openapi.json")).json()["paths"]["/trees"]["get"]
    found = {parameter["name"]: parameter for parameter in operation["parameters"]}
    assert set(found) == set(Wanted.model_fields)
    assert (found["size"]["schema"]["maximum"], found["size"]["description"]) == (100, "How many")
    assert (found["tree"]["required"], found["size"]["required"]) == (True, False)
    assert found["colour"]["schema"]["anyOf"][0]["enum"] == ["green", "red"]
