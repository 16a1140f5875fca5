"""Fills search_name in rows from before the canary, ten at a time."""

import asyncio
import sys

import asyncpg

BATCH = "select id, owner, balance, changed_at from wallets where search_name is null order by id limit 10"
SAVE = "update wallets set owner = $2, balance = $3, changed_at = $4, search_name = $5 where id = $1"


async def main(url):
    connection = await asyncpg.connect(url)
    while rows := await connection.fetch(BATCH):
        async with connection.transaction():
            for row in rows:
                await connection.execute(SAVE, *row, row["owner"].lower())
    await connection.close()


asyncio.run(main(sys.argv[1]))
