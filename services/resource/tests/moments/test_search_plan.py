"""What a search among moments reads: the user's own rows, however many others have the same words."""

import re

import pytest
from sqlalchemy import text

from grove_resource.search import repository

pytestmark = pytest.mark.integration


async def test_search_reads_no_index_but_that_of_the_users_moments(resources):
    async with resources.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(
            text(
                "INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at) "
                "SELECT gen_random_uuid(), gen_random_uuid(), 'x', '{}', now(), now() FROM generate_series(1, 200)"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, "
                "updated_at) SELECT gen_random_uuid(), user_id, id, 1, now() - n * interval '1 minute', "
                "jsonb_build_object('note', 'some words ' || n), now(), now() "
                "FROM activities, generate_series(1, 100) n"
            )
        )
        await connection.execute(text("VACUUM ANALYZE moments"))  # an index on words costs most before it
        someone = await connection.scalar(text("SELECT user_id FROM activities LIMIT 1"))
        driver = (await connection.get_raw_connection()).driver_connection
        await driver.execute("SET plan_cache_mode = force_generic_plan")
        values = {"q": "words", "type": None, "size": 21, "headline": "", "user_id": someone}
        arguments = repository._SEARCH.arguments(values | {"after_rank": None, "after_id": None})
        rows = await driver.fetch(f"EXPLAIN {repository._SEARCH.text}", *arguments)
        await driver.execute("RESET plan_cache_mode")
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on moments" not in plan, plan
    assert set(re.findall(r"\w+_moments\w*", plan)) == {"ix_moments_user_occurred", "pk_moments"}, plan
