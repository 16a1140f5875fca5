"""Fills search_name in rows from before the canary, ten at a time: one statement, which writes nothing else."""

import asyncio
import sys

import asyncpg

BATCH = """
    update wallets set search_name = lower(owner) where id in (
      select id from wallets where search_name is null order by id limit 10 for update)
"""


async def main(url):
    connection = await asyncpg.connect(url)
    while await connection.execute(BATCH) != "UPDATE 0":
        pass
    await connection.close()


asyncio.run(main(sys.argv[1]))
